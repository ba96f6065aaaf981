//! From a kernel id to a running guest, and from its messages to an end.
//!
//! [`table`] says which kernels there are, [`payload`] takes the kernel out of its image,
//! [`programs`] finds our own, [`image`] builds what it boots with, [`accel`] chooses how, [`machine`] is QEMU's command line,
//! [`tsc`] how fast its counter runs, [`sandbox`] what QEMU may do, [`control`] its own channel and [`session`] one run of a guest from start to end. Image, console and
//! records are descriptors, so that nothing of them can be left behind.

pub mod accel;
pub mod console;
pub mod control;
pub mod cpus;
pub mod image;
pub mod machine;
pub mod payload;
pub mod programs;
pub mod sandbox;
pub mod session;
pub mod table;
pub mod tool;
pub mod tree;
pub mod tsc;
pub mod word;

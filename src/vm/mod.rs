//! From a kernel id to a running guest, and from its messages to an end.
//!
//! What a guest is made of: [`table`] says which kernels there are, by the rules of [`word`] for what their entries name;
//! [`payload`] takes a kernel out of its image, [`programs`] finds our own, [`tree`] is a file system that is written as an
//! archive, [`image`] builds from these what is booted, and [`tool`] is the table of other projects' observers.
//!
//! How it runs: [`accel`] chooses between KVM and emulation, [`machine`] is QEMU's command line, [`tsc`] measures how fast the
//! guest's counter runs, [`sandbox`] says what QEMU may do, [`control`] is QEMU's own channel, [`cpus`] reads where a guest's
//! CPUs are, [`console`] keeps the last lines, and [`session`] is one run of a guest from start to end. Image, console and
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

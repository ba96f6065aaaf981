//! Every unsafe block: what nix and std do not offer in a safe form.
#![expect(
    unsafe_code,
    reason = "this is the one module that talks to the kernel unsafely"
)]

mod entry;
mod exec;
mod fd;
mod map;
mod module;
mod mount;
mod process;

pub use entry::{Entry, STATE, death_signal, interval_timers, prctl};
pub use exec::{AT_EXECVE_CHECK, Addresses, Image, Spawn, auxv, auxv_execfd, auxv_execfn, socket};
pub use fd::{adopt_fd, lend_fd, pidfd_open, place_fd};
pub use map::{Edge, Mapping};
pub use module::finit_module;
pub use mount::{attribute, clone_mount, set_attribute, set_exe_file};
pub use process::{
    close_fds_from, die_with_parent, dispose, exit_now, fork, fork_sharing_files, handled, on_exec,
    own_terminal, reset_signals,
};

pub use nix::unistd::ForkResult;

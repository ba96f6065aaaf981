//! Every unsafe block: what nix and std do not offer in a safe form.
#![expect(
    unsafe_code,
    reason = "this is the one module that talks to the kernel unsafely"
)]

mod exec;
mod fd;
mod module;
mod mount;
mod process;

pub use exec::{AT_EXECVE_CHECK, Image, Spawn, auxv_execfd, auxv_execfn, socket};
pub use fd::{adopt_fd, lend_fd, pidfd_open, place_fd};
pub use module::finit_module;
pub use mount::{clone_mount, has_attribute, set_attribute, set_exe_file};
pub use process::{
    close_fds_from, die_with_parent, exit_now, fork, on_exec, own_terminal, reset_signals,
};

pub use nix::unistd::ForkResult;

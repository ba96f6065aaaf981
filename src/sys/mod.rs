//! Every unsafe block: what nix and std do not offer in a safe form.
//!
//! `entry.rs` and `disguise.rs` are parts of the subject alone (`src/subject/main.rs`), [`bare`] is a part of both.
#![expect(
    unsafe_code,
    reason = "this is the one module that talks to the kernel unsafely"
)]

pub mod bare;
mod confine;
mod disk;
mod exec;
mod fault;
mod fd;
mod map;
mod memory;
mod mm;
mod module;
mod mount;
mod narrow;
mod perf;
mod power;
mod process;
mod random;
mod ring;
mod signal;
mod timer;
mod tracee;
mod tsc;
mod wait;
mod xattr;

pub use confine::{
    I386, Notices, execute_nothing, filter_execve, has_landlock, notify_of_execs, stop_at_execs,
};
pub use disk::{first_block, resize_loop};
pub use exec::{AT_EXECVE_CHECK, Addresses, Invocation, Released, Spawn, auxv, netlink, socket};
pub use fault::{FaultPages, has_userfaultfd};
pub use fd::{
    adopt_fd, end_lease, lease, lend_fd, pidfd_getfd, pidfd_open, place_fd, raise_fd,
    readable_bytes,
};
pub use map::{Edge, Mapping};
pub use memory::{
    Marked, aio_context, attach_segment, attached, lock_future, lock_mark, lock_present, map_mark,
    map_mark_of, new_segment, own_robust, read_memory, remove_segment, shared_word, trim_heap,
};
pub use mm::{has_mm_map, set_exe_file};
pub use module::finit_module;
pub use mount::clone_mount;
pub use narrow::execve_narrow;
pub use perf::Passes;
pub use power::{
    FileCapabilities, capabilities, prctl, set_attribute_of_process, set_capabilities,
    set_file_capabilities, set_file_capability_sets, set_inheritable, set_nice,
};
pub use process::{
    close_fds_from, die_with_parent, dispose, end_thread, exit_now, fork, fork_sharing_files,
    fork_untraced, fork_with, handled, is_ignored, on_exec, own_terminal, reset_signals,
    set_terminal_size, share_descriptors, share_fs, with_clean_signals,
};
pub use random::reseed;
pub use ring::Ring;
pub use signal::{
    block, handle_all, hear_of_children, is_pending, queue, send_to_thread, set_alternate_stack,
    usable_signals,
};
pub use timer::{DeadMan, Interval, arm_interval, arm_timer};
pub use tracee::{Stopped, go_on_with, listen, stopped};
pub use tsc::time_stamp;
pub use wait::{reap, shell_status, signal_name};
pub use xattr::{getxattr, setxattr};

pub use nix::unistd::ForkResult;

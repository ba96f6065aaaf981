//! The same scenarios on the running kernel, in private namespaces.
//!
//! Three processes of ours take part:
//! - the host's thread ([`run`]) starts the keeper, follows the records and ends it at a deadline;
//! - the keeper ([`crate::guest::keeper`]) makes the cgroup and the namespaces and outlives everything in them: it
//!   ends when the other end of its standard input is closed, also when its parent was killed;
//! - PID 1 of the new pid namespace builds the root and becomes the guest's runner. When it ends,
//!   the kernel kills whatever is left in the namespace.
//!
//! What must stay true: only the private tmpfs is marked; nothing outside of it is written to
//! (`/proc/sys` is read-only there, sysctls are refused); nothing is left behind, whoever is killed.

mod session;

use anyhow::{Result, bail};

pub use crate::guest::left;
pub use session::{Lab, run};

/// Whether this process may run the native lab.
///
/// # Errors
///
/// Why not, and what to do instead.
pub fn check() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "the native lab takes root (namespaces, mounts, fanotify permission events): run it as \
             root, or leave `native` out and name a kernel of the table, which runs in a virtual \
             machine and takes no rights"
        );
    }
    use crate::observer::fanotify::{Class, Group, Ids};
    Group::new(Ids::Process, Class::Content)?;
    Ok(())
}

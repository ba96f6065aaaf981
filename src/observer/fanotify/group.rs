//! A fanotify group: what is watched, what waits, and the answers.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};

use super::event::METADATA;
use super::{Event, parse_events};

/// What a permission event is answered with.
const FAN_ALLOW: u32 = 1;

/// How many events are read at once: each brings a descriptor, and the kernel denies an open whose
/// event's descriptor does not fit into our table any more.
const AT_ONCE: usize = 128;

/// Whose id an event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// The process's.
    Process,
    /// The thread's (`FAN_REPORT_TID`).
    Thread,
}

/// A group that hears of every open and every open for execution before it happens.
///
/// When it is dropped, or its process ends, the kernel lets everybody go who still waits.
#[derive(Debug)]
pub struct Group {
    fanotify: Fanotify,
    buffer: Vec<u8>,
}

impl Group {
    /// Makes a group that watches nothing yet (fanotify_init(2)).
    ///
    /// # Errors
    ///
    /// Not root (`EPERM`), or a kernel without `CONFIG_FANOTIFY_ACCESS_PERMISSIONS` (`EINVAL`).
    pub fn new(ids: Ids) -> Result<Group> {
        let own = match ids {
            Ids::Process => InitFlags::empty(),
            Ids::Thread => InitFlags::FAN_REPORT_TID,
        };
        let flags = own
            | InitFlags::FAN_CLASS_CONTENT
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_QUEUE
            | InitFlags::FAN_UNLIMITED_MARKS;
        let event_flags = EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC;
        let fanotify = Fanotify::init(flags, event_flags).map_err(|errno| match errno {
            Errno::EPERM => anyhow::anyhow!("failed to make a fanotify group: it takes root"),
            Errno::EINVAL | Errno::ENOSYS => anyhow::anyhow!(
                "failed to make a fanotify group: this kernel has no permission events \
                 (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)"
            ),
            errno => anyhow::anyhow!("failed to make a fanotify group: {errno}"),
        })?;
        Ok(Group {
            fanotify,
            buffer: vec![0; AT_ONCE * METADATA],
        })
    }

    /// Watches the whole file system that a path is on, whatever mount it is reached by.
    ///
    /// # Errors
    ///
    /// What fanotify_mark(2) says, with the path.
    pub fn watch_filesystem(&self, path: &Path) -> Result<()> {
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
        self.mark(flags, path)
    }

    /// Watches one mount: what is opened through it, and not through bind mounts or other mount
    /// namespaces.
    ///
    /// # Errors
    ///
    /// What fanotify_mark(2) says, with the path.
    pub fn watch_mount(&self, path: &Path) -> Result<()> {
        self.mark(MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_MOUNT, path)
    }

    fn mark(&self, flags: MarkFlags, path: &Path) -> Result<()> {
        let mask = MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_OPEN_EXEC_PERM;
        self.fanotify
            .mark(flags, mask, nix::fcntl::AT_FDCWD, Some(path))
            .map_err(|errno| match errno {
                Errno::EINVAL => anyhow::anyhow!(
                    "its file system refuses permission events, as /proc and other pseudo file \
                     systems do"
                ),
                errno => errno.into(),
            })
            .with_context(|| format!("failed to watch {}", path.display()))
    }

    /// Reads the events that wait; none is an empty list.
    ///
    /// # Errors
    ///
    /// What read(2) says, or events that cannot be understood.
    pub fn read(&mut self) -> Result<Vec<Event>> {
        match nix::unistd::read(&self.fanotify, &mut self.buffer) {
            Ok(length) => {
                parse_events(&self.buffer[..length]).context("failed to read fanotify events")
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno).context("failed to read fanotify events"),
        }
    }

    /// Lets the process go on that waits behind this event.
    ///
    /// # Errors
    ///
    /// What write(2) says, except `ENOENT`: the waiting process was killed and needs no answer.
    pub fn allow(&self, event_fd: BorrowedFd<'_>) -> Result<()> {
        let mut answer = [0; 8];
        answer[..4].copy_from_slice(&event_fd.as_raw_fd().to_ne_bytes());
        answer[4..].copy_from_slice(&FAN_ALLOW.to_ne_bytes());
        match nix::unistd::write(&self.fanotify, &answer) {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno).context("failed to answer a permission event"),
        }
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fanotify.as_fd()
    }
}

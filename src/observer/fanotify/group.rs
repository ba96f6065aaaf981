//! A fanotify group: what is watched, what waits, and the answers.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::event::METADATA;
use super::{FanEvent, parse_events};
use crate::sys;
use crate::trail::Mask;

/// What a permission event is answered with.
const FAN_ALLOW: u32 = 1;
const FAN_DENY: u32 = 2;
/// Where a denial has its errno (`FAN_ERRNO_SHIFT` in include/uapi/linux/fanotify.h).
const FAN_ERRNO_SHIFT: u32 = 24;

/// The notification class of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `FAN_CLASS_CONTENT`.
    Content,
    /// `FAN_CLASS_PRE_CONTENT`: asked before the others, and may deny with another errno.
    PreContent,
}

impl Class {
    fn flag(self) -> InitFlags {
        match self {
            Class::Content => InitFlags::FAN_CLASS_CONTENT,
            Class::PreContent => InitFlags::FAN_CLASS_PRE_CONTENT,
        }
    }
}

/// How many events are read at once: each brings a descriptor, and the kernel denies an open whose
/// event's descriptor does not fit into our table any more.
pub const AT_ONCE: usize = 128;

/// `FAN_REPORT_FD_ERROR` (include/uapi/linux/fanotify.h).
const FAN_REPORT_FD_ERROR: u32 = 0x2000;

/// What becomes of an event whose file the kernel could not open for the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unopened {
    /// It comes with the errno in place of the descriptor (`FAN_REPORT_FD_ERROR`).
    Reported,
    /// The read fails, or ends before it: events are read one by one, so that each one is noticed.
    Noticed,
}

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
/// When it is dropped, or its process ends, the kernel allows every event that still waits.
#[derive(Debug)]
pub struct Group {
    fanotify: Fanotify,
    buffer: Vec<u8>,
    unopened: Unopened,
}

impl Group {
    /// Makes a group that watches nothing yet (fanotify_init(2)).
    ///
    /// # Errors
    ///
    /// Not root (`EPERM`), or a kernel without `CONFIG_FANOTIFY` (`ENOSYS`) or a flag (`EINVAL`).
    pub fn new(ids: Ids, class: Class) -> Result<Group> {
        Group::with(ids, class, EventFFlags::empty(), Unopened::Noticed)
    }

    /// Makes a group whose read(2) never waits for a lease on a file to be broken.
    ///
    /// To hand an event out the kernel opens the file for the listener (`create_fd` in
    /// fs/notify/fanotify/fanotify_user.c), and that open waits for another process's lease, for up
    /// to `lease-break-time`. With `O_NONBLOCK` among the descriptors' flags it fails instead
    /// (`__break_lease` in fs/locks.c): the kernel denies that one open, begins to break the lease
    /// all the same. Read it with [`Group::read_each`].
    ///
    /// # Errors
    ///
    /// As for [`Group::new`].
    pub fn impatient(ids: Ids, class: Class) -> Result<Group> {
        let flags = EventFFlags::O_NONBLOCK;
        Group::with(ids, class, flags, Unopened::Reported)
            .or_else(|_| Group::with(ids, class, flags, Unopened::Noticed))
    }

    /// Makes a group whose queue has a limit: what does not fit is not asked.
    ///
    /// # Errors
    ///
    /// As for [`Group::new`].
    pub fn bounded(class: Class) -> Result<Group> {
        let flags = class.flag() | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        Group::init(flags, EventFFlags::empty(), Unopened::Noticed)
    }

    fn with(ids: Ids, class: Class, more: EventFFlags, unopened: Unopened) -> Result<Group> {
        let errors = match unopened {
            Unopened::Reported => InitFlags::from_bits_retain(FAN_REPORT_FD_ERROR),
            Unopened::Noticed => InitFlags::empty(),
        };
        let own = match ids {
            Ids::Process => InitFlags::empty(),
            Ids::Thread => InitFlags::FAN_REPORT_TID,
        };
        let flags = own
            | errors
            | class.flag()
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_QUEUE
            | InitFlags::FAN_UNLIMITED_MARKS;
        Group::init(flags, more, unopened)
    }

    fn init(flags: InitFlags, more: EventFFlags, unopened: Unopened) -> Result<Group> {
        let event_flags =
            EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC | more;
        let fanotify = Fanotify::init(flags, event_flags).map_err(|errno| match errno {
            Errno::EPERM => anyhow::anyhow!("failed to make a fanotify group: it takes root"),
            Errno::EINVAL | Errno::ENOSYS => anyhow::anyhow!(
                "failed to make a fanotify group: this kernel does not have what is asked for \
                 (CONFIG_FANOTIFY)"
            ),
            errno => anyhow::anyhow!("failed to make a fanotify group: {errno}"),
        })?;
        Ok(Group {
            fanotify,
            buffer: vec![0; AT_ONCE * METADATA],
            unopened,
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

    /// Watches one file or directory, by its inode: however it is reached.
    ///
    /// # Errors
    ///
    /// What fanotify_mark(2) says, with the path.
    pub fn watch_inode(&self, path: &Path) -> Result<()> {
        self.mark(MarkFlags::FAN_MARK_ADD, path)
    }

    /// Adds further events to what is watched of a file system, by their bits.
    ///
    /// # Errors
    ///
    /// What fanotify_mark(2) says: `EINVAL` for events that the kernel does not know, or this class is not told.
    pub fn watch_filesystem_for(&self, path: &Path, bits: u64) -> nix::Result<()> {
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
        let mask = MaskFlags::from_bits_retain(bits);
        self.fanotify
            .mark(flags, mask, nix::fcntl::AT_FDCWD, Some(path))
    }

    fn mark(&self, flags: MarkFlags, path: &Path) -> Result<()> {
        let mask = MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_OPEN_EXEC_PERM;
        self.fanotify
            .mark(flags, mask, nix::fcntl::AT_FDCWD, Some(path))
            .map_err(|errno| match errno {
                Errno::EINVAL => anyhow::anyhow!(
                    "its file system refuses permission events, as /proc does, or this kernel has \
                     none (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)"
                ),
                errno => errno.into(),
            })
            .with_context(|| format!("failed to watch {}", named(path).display()))
    }

    /// Reads the events that wait; none is an empty list.
    ///
    /// # Errors
    ///
    /// What read(2) says, or events that cannot be understood.
    pub fn read(&mut self) -> Result<Vec<FanEvent>> {
        match nix::unistd::read(&self.fanotify, &mut self.buffer) {
            Ok(length) => {
                parse_events(&self.buffer[..length]).context("failed to read fanotify events")
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno).context("failed to read fanotify events"),
        }
    }

    /// Reads at most [`AT_ONCE`] of the events that wait; one whose file the kernel could not open
    /// for us has the errno, negative, in place of its descriptor. That open was denied
    /// (`fanotify_read` and `copy_event_to_user` in fs/notify/fanotify/fanotify_user.c).
    ///
    /// Without `FAN_REPORT_FD_ERROR` such an event has neither mask nor process, and one whose
    /// process was killed just then looks the same.
    ///
    /// # Errors
    ///
    /// What read(2) says of the group, or events that cannot be understood.
    pub fn read_each(&mut self) -> Result<Vec<FanEvent>> {
        if self.unopened == Unopened::Reported {
            return self.read();
        }
        let bytes = sys::readable_bytes(self.fanotify.as_fd());
        let waiting = bytes.context("failed to ask how many events wait")? / METADATA;
        let mut events = Vec::new();
        for _ in 0..waiting.min(AT_ONCE) {
            match nix::unistd::read(&self.fanotify, &mut self.buffer[..METADATA]) {
                Ok(length) => events.extend(
                    parse_events(&self.buffer[..length])
                        .context("failed to read fanotify events")?,
                ),
                Err(Errno::EINTR) => break,
                Err(errno @ (Errno::EBADF | Errno::EINVAL | Errno::EFAULT)) => {
                    return Err(errno).context("failed to read fanotify events");
                }
                Err(errno) => events.push(FanEvent {
                    mask: Mask(0),
                    fd: -(errno as i32),
                    pid: 0,
                    part: None,
                }),
            }
        }
        Ok(events)
    }

    /// Lets the process go on that waits for this event.
    ///
    /// # Errors
    ///
    /// What write(2) says. That the waiting process was killed is no error: its event waits for the
    /// answer all the same, and is freed by it.
    pub fn allow(&self, event_fd: BorrowedFd<'_>) -> Result<()> {
        self.settle(event_fd, FAN_ALLOW)
    }

    /// Refuses the file, with EPERM or with an errno of choice where the kernel can do that.
    ///
    /// # Errors
    ///
    /// As for [`Group::allow`]; `EINVAL` for an errno that the kernel does not let through.
    pub fn deny(&self, event_fd: BorrowedFd<'_>, errno: Option<i32>) -> Result<()> {
        let errno = errno.unwrap_or(0).unsigned_abs();
        self.settle(event_fd, FAN_DENY | errno << FAN_ERRNO_SHIFT)
    }

    fn settle(&self, event_fd: BorrowedFd<'_>, answer: u32) -> Result<()> {
        self.answer(event_fd.as_raw_fd(), answer)
            .context("failed to answer a permission event")
    }

    fn answer(&self, event_fd: i32, answer: u32) -> nix::Result<()> {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&event_fd.to_ne_bytes());
        bytes[4..].copy_from_slice(&answer.to_ne_bytes());
        nix::unistd::write(&self.fanotify, &bytes).map(drop)
    }
}

/// Whether the kernel knows `FAN_DENY_ERRNO`.
///
/// An answer to an event that nobody has is ENOENT when it is a valid one, else EINVAL
/// (`process_access_response` in fs/notify/fanotify/fanotify_user.c).
#[must_use]
pub fn can_deny_with_errno() -> bool {
    let group = Group::new(Ids::Process, Class::PreContent);
    group.is_ok_and(|group| errnos_of_choice(&group).next().is_some())
}

/// Takes as many descriptors as this process may have: each event that is read brings one, and each process that is watched
/// has another.
pub fn more_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // The old limit does as well: few events are read at once.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The errnos that this group may deny with.
pub fn errnos_of_choice(group: &Group) -> impl Iterator<Item = Errno> {
    let nobody = 1 << 20;
    let is_valid = move |errno: &i32| {
        let answer = FAN_DENY | errno.unsigned_abs() << FAN_ERRNO_SHIFT;
        group.answer(nobody, answer) == Err(Errno::ENOENT)
    };
    // The mask of an answer has a byte for it.
    (1..=255).filter(is_valid).map(Errno::from_raw)
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fanotify.as_fd()
    }
}
/// What a path of a descriptor of ours stands for; others as they are.
fn named(path: &Path) -> PathBuf {
    let link = path.starts_with("/proc/self/fd");
    let target = link.then(|| std::fs::read_link(path).ok());
    target.flatten().unwrap_or_else(|| path.to_owned())
}

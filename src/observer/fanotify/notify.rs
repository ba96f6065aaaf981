//! fanotify without permission: `FAN_OPEN_EXEC`, told when the file is open, holding nobody.
//!
//! The group is read at each step that the monitor holds, which places its events: the kernel queues
//! one before the opener goes on (`fsnotify_open` in include/linux/fsnotify.h).

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use serde::{Deserialize, Serialize};

use super::event::METADATA;
use super::{AT_ONCE, named, parse_events};
use crate::event::{self, Field, Fields, Raw, Report};
use crate::observer::notes::Notes;
use crate::observer::{Held, HeldHook, Kind, Observer, OnHeld, Watch, broken};
use crate::trail::LabKind;
use crate::wire::{Failure, Lost};
use crate::{proc, sys};

/// Armed before the monitor, which reads the queue at each step.
pub const KIND: Kind = Kind {
    name: "fanotify-notify",
    needs: &[],
    wants: &[],
    takes: None,
    make: || Box::new(Notify::default()),
};

/// An event: how many steps came before, the process, the file.
#[derive(Debug, Serialize, Deserialize)]
struct Opened(usize, i32, String);

#[derive(Debug, Default)]
struct Notify {
    watch: Option<(Arc<Queue>, Notes)>,
}

impl Observer for Notify {
    fn set_up(&mut self, _: LabKind) -> Result<(), Failure> {
        Ok(())
    }

    fn arm(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let begin = || {
            let queue = Arc::new(Queue::open(&watch.paths)?);
            let notes = Notes::new()?;
            let hook = Drain(Arc::clone(&queue), notes.share()?);
            Ok((queue, notes, hook))
        };
        let (queue, notes, hook) = begin().map_err(broken)?;
        watch.hooks.push(HeldHook {
            observer: KIND.name,
            call: Box::new(hook),
        });
        self.watch = Some((queue, notes));
        Ok(())
    }

    fn disarm(&mut self, watch: &mut Watch) -> Result<Option<crate::observer::Statement>, Failure> {
        let Some((queue, mut notes)) = self.watch.take() else {
            return Ok(None);
        };
        let opened = queue.drain(watch.run.sightings.len(), &mut notes);
        let opened = opened.and_then(|()| notes.all()).map_err(broken)?;
        let raw = opened.into_iter().map(|Opened(after, pid, path)| Raw {
            kind: event::Kind::Open,
            source: "FAN_OPEN_EXEC".to_owned(),
            tid: pid,
            pid: Some(pid),
            child: None,
            after: Some(after),
            fields: Fields::from([(Field::File, path)]),
        });
        let report = Report {
            events: event::place(&watch.run, raw.collect()),
            ..Report::default()
        };
        crate::observer::Statement::told(&report, Lost::default())
    }

    fn abandon(&mut self) {
        self.watch = None;
    }
}

/// A group of class `FAN_CLASS_NOTIF`.
#[derive(Debug)]
struct Queue(Fanotify);

impl Queue {
    fn open(paths: &[PathBuf]) -> Result<Queue> {
        let flags = InitFlags::FAN_CLASS_NOTIF
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_QUEUE
            | InitFlags::FAN_UNLIMITED_MARKS;
        let files = EventFFlags::O_RDONLY | EventFFlags::O_LARGEFILE | EventFFlags::O_CLOEXEC;
        let group = Fanotify::init(flags, files).context("failed to make a fanotify group")?;
        for path in paths {
            let mark = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
            let mask = MaskFlags::FAN_OPEN_EXEC;
            let path: &Path = path;
            group
                .mark(mark, mask, nix::fcntl::AT_FDCWD, Some(path))
                .with_context(|| format!("failed to watch {}", path.display()))?;
        }
        Ok(Queue(group))
    }

    fn drain(&self, after: usize, notes: &mut Notes) -> Result<()> {
        let mut buffer = [0; AT_ONCE * METADATA];
        loop {
            let length = match nix::unistd::read(self.0.as_fd(), &mut buffer) {
                Ok(length) => length,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno).context("failed to read fanotify events"),
            };
            for event in parse_events(&buffer[..length])? {
                if event.fd < 0 {
                    bail!("the event queue has overflowed: events were lost");
                }
                let file = sys::adopt_fd(event.fd);
                let path = proc::link(format!("/proc/self/fd/{}", file.as_raw_fd()));
                let path = named(path).context("failed to read the path of an event")?;
                notes.add(&Opened(after, event.pid, path))?;
            }
        }
    }
}

/// The hook that the monitor calls.
#[derive(Debug)]
struct Drain(Arc<Queue>, Notes);

impl OnHeld for Drain {
    fn held(&mut self, event: Held<'_>) -> Result<()> {
        self.0.drain(event.number - 1, &mut self.1)
    }
}

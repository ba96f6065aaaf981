//! What the programs of a scenario write, kept in memory: the end of it.
//!
//! A regular file takes whatever is written, at once, and nobody has to read meanwhile: a program that writes does what it does
//! with `/dev/null` as its output. It is on no file system that is watched.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use nix::fcntl::{FallocateFlags, FcntlArg, OFlag, fallocate, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::trail::shown;
use crate::wire::Wrote;

/// How much of one start is kept.
const OF_ONE: u64 = 8 << 10;
/// How much of a scenario.
const OF_ALL: u64 = 64 << 10;
/// From how much on what is not kept is given back.
const GIVEN_BACK: u64 = 1 << 20;

/// The output of one scenario.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// Where the output of this start begins.
    begin: u64,
    /// How much may still be kept.
    left: u64,
    wrote: Vec<Wrote>,
}

impl Output {
    /// Nothing was written yet.
    ///
    /// # Errors
    ///
    /// What memfd_create(2) says.
    pub fn new() -> Result<Output> {
        let file = memfd_create(c"exetrail-output", MFdFlags::MFD_CLOEXEC);
        let file = file.context("failed to make a file for what programs write")?;
        // Several descriptors of one program, and several programs, write to it.
        fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
        Ok(Output {
            file: file.into(),
            begin: 0,
            left: OF_ALL,
            wrote: Vec::new(),
        })
    }

    /// The file itself, for those who write.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.file.into()
    }

    fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |meta| meta.len())
    }

    /// Gives memory back of what nobody will be shown: somebody may write for as long as he lives.
    pub fn trim(&self) {
        let over = self.size().saturating_sub(OF_ONE);
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        if over > self.begin + GIVEN_BACK {
            // Where the kernel cannot, the guest's memory has to do.
            let _ = fallocate(&self.file, hole, 0, i64::try_from(over).unwrap_or_default());
        }
    }

    /// Takes what was written since the last start ended.
    pub fn end(&mut self, heading: Option<String>) {
        let size = self.size();
        // Whoever opens it anew may have cut it.
        let begin = self.begin.min(size);
        let begin = if begin < self.begin { 0 } else { begin };
        let from = begin.max(size - size.min(OF_ONE.min(self.left)));
        self.begin = size;
        let mut bytes = vec![0; usize::try_from(size - from).unwrap_or_default()];
        if self.file.read_exact_at(&mut bytes, from).is_err() {
            return;
        }
        self.left -= size - from;
        let cut = from > begin;
        let mut lines = lines(&bytes);
        // The first line is not whole then; of one alone its end is better than nothing.
        if cut && lines.len() > 1 {
            lines.remove(0);
        }
        if size > begin {
            self.wrote.push(Wrote {
                heading,
                lines,
                cut,
            });
        }
    }

    /// What all starts wrote.
    #[must_use]
    pub fn all(self) -> Vec<Wrote> {
        self.wrote
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).replace('\t', "    ");
    shown(&text).lines().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(pieces: &[&[u8]]) -> Vec<Wrote> {
        let mut output = Output::new().unwrap();
        for piece in pieces {
            (&output.file).write_all(piece).unwrap();
            output.trim();
            output.end(None);
        }
        output.all()
    }

    #[test]
    fn each_start_has_its_own_lines_and_a_silent_one_none() {
        let all = written(&[b"a\nb\x1b\n", b"", b"c"]);
        let lines: Vec<_> = all.iter().map(|one| one.lines.join("|")).collect();
        assert_eq!(lines, ["a|b\\x1b", "c"]);
        assert!(all.iter().all(|one| !one.cut));
    }

    #[test]
    fn the_end_of_much_is_kept_and_it_is_said_that_there_was_more() {
        let much = "0123456789\n".repeat(1 << 18);
        let all = written(&[much.as_bytes()]);
        let lines = &all[0].lines;
        assert!(
            all[0].cut && lines.len() as u64 == OF_ONE / 11,
            "{}",
            lines.len()
        );
        assert!(lines.iter().all(|line| line == "0123456789"));
    }

    #[test]
    fn of_one_line_that_is_too_long_the_end_is_kept() {
        let line = [vec![b'a'; OF_ONE as usize], b"end\n".to_vec()].concat();
        let all = written(&[&line]);
        assert!(all[0].cut && all[0].lines.len() == 1);
        assert!(all[0].lines[0].ends_with("aend"), "{:?}", all[0].lines);
    }

    #[test]
    fn all_starts_together_have_a_limit() {
        let much = "x\n".repeat(OF_ONE as usize);
        let all = written(&[much.as_bytes(); 12]);
        let kept = all.iter().flat_map(|one| &one.lines).count() as u64;
        assert!(kept <= OF_ALL / 2 && all.last().unwrap().cut, "{kept}");
    }

    #[test]
    fn what_is_cut_from_outside_begins_anew() {
        let mut output = Output::new().unwrap();
        (&output.file).write_all(b"before").unwrap();
        output.end(None);
        output.file.set_len(0).unwrap();
        (&output.file).write_all(b"now").unwrap();
        output.end(None);
        assert_eq!(output.all()[1].lines, ["now"]);
    }
}

//! A disk of a scenario's own: an ext4 file system on a loop device, whose file is in `/tmp`.
//!
//! The runner unmounts it, and the kernel then gives the device up (loop(4), `LO_FLAGS_AUTOCLEAR`).

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::System;
use crate::sys;

/// Where it is mounted.
pub const DISK: &str = "/tmp/disk";
/// Size in bytes.
const SIZE: u64 = 32 << 20;

/// A mounted disk.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    device: PathBuf,
}

impl System {
    /// Mounts a new, empty disk at [`DISK`].
    ///
    /// # Errors
    ///
    /// It cannot be made or mounted; the reason is what busybox says.
    pub fn disk(&mut self) -> Result<Disk> {
        let place = self.directory("disk")?;
        let image = self.file("disk.img", &[], 0o600)?;
        File::options().write(true).open(&image)?.set_len(SIZE)?;
        let name = image.to_string_lossy();
        busybox(&["mke2fs", "-F", &name])?;
        busybox(&["mount", "-t", "ext4", "-o", "loop", &name, DISK])?;
        let mounts =
            fs::read_to_string("/proc/self/mounts").context("failed to read the mounts")?;
        let device = mounts.lines().rev().find_map(|line| {
            let (device, rest) = line.split_once(' ')?;
            Path::new(rest.split(' ').next()?)
                .eq(&place)
                .then_some(device)
        });
        let device = device.context("the disk is not among the mounts")?.into();
        Ok(Disk { image, device })
    }
}

impl Disk {
    /// Ends the disk before a file's first block, so that it can no more be read: the kernel's
    /// block layer refuses what is after the end with EIO (`bio_check_eod` in block/blk-core.c).
    ///
    /// # Errors
    ///
    /// The file is not on this disk, or the device does not take its new size.
    pub fn end_before(&self, path: &Path) -> Result<()> {
        let context = || format!("failed to end the disk before {}", path.display());
        let file = File::open(path).with_context(context)?;
        nix::unistd::sync();
        let block = sys::first_block(file.as_fd()).with_context(context)?;
        ensure!(block != 0, "{} has no block", path.display());
        let end = u64::from(block) * file.metadata().with_context(context)?.blksize();
        // What was written is still in memory.
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
            .with_context(context)?;
        let image = File::options().write(true).open(&self.image);
        image
            .and_then(|image| image.set_len(end))
            .with_context(context)?;
        let device = File::open(&self.device).with_context(context)?;
        sys::resize_loop(device.as_fd()).with_context(context)
    }
}

fn busybox(words: &[&str]) -> Result<()> {
    let mut command = Command::new("/usr/bin/busybox");
    let done = command.args(words).stdin(Stdio::null()).output();
    let done = done.with_context(|| format!("failed to run busybox {}", words.join(" ")))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "busybox {}: {}",
        words.join(" "),
        said.trim()
    );
    Ok(())
}

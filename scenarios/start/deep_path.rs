//! A program whose path is longer than a link in `/proc` can tell.
//!
//! No call takes more than 4,095 bytes of path (`PATH_MAX`), but a working directory can be any number of steps deep:
//! `./true` starts there as it does elsewhere.
//!
//! The links in `/proc` do not tell this path. The kernel makes them in a buffer of 4,096 bytes (`do_proc_readlink` in
//! fs/proc/base.c: a page on 5.10, `PATH_MAX` bytes later), and reading one fails with ENAMETOOLONG:
//!
//! - where the program is opened, the link of the event's descriptor;
//! - where the program itself opens something, the link of exe (what it opens has its path).
//!
//! A policy by these links has nothing to decide on, and must not take that for a process that has ended. In a trail
//! `too-long` stands for it.
//!
//! The path is not lost. `/proc/PID/maps` has all of it, as its buffer grows (`seq_read_iter` in fs/seq_file.c), and so
//! has AppArmor, whose buffer is twice as long (`aa_g_path_max`).
//!
//! See path_resolution(7); proc_pid_exe(5).

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::chdir;

use crate::scenario::{Exec, Scenario, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "program whose path is longer than 4096 bytes",
    unpredicted: Some("no step of it has a path, by which the model would know its file"),
    run,
    ..Scenario::DEFAULT
};

/// The longest name that there can be; seventeen of them are longer than a path can be.
const NAME: [u8; 255] = [b'd'; 255];
const DEPTH: usize = 17;

fn run(system: &mut System) -> anyhow::Result<()> {
    let top = system.directory("deep")?;
    let directory = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut here: OwnedFd = open(&top, directory, Mode::empty())?;
    for _ in 0..DEPTH {
        mkdirat(&here, NAME.as_slice(), Mode::from_bits_truncate(0o755))?;
        here = openat(&here, NAME.as_slice(), directory, Mode::empty())?;
    }
    let new = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = openat(&here, "true", new, Mode::from_bits_truncate(0o755))?;
    File::from(file).write_all(&std::fs::read("/usr/bin/true")?)?;
    let exec = Exec::path("./true")?.before(move || {
        chdir(&top)?;
        for _ in 0..DEPTH {
            chdir(NAME.as_slice())?;
        }
        Ok(())
    });
    system.observe(&exec)?;
    Ok(())
}

//! The path of an exec lies on a page that nobody has read yet.
//!
//! The kernel copies the path when the call begins (`getname`). Where the page is mapped, as here, and is only missing
//! from the page table of the process, the kernel takes the fault and goes on. An observer that reads the path at the
//! entry of the call, in a context that may not fault, finds nothing there: an empty string, or an error. A program's
//! constants can be on such a page when the call is their first use. Before the call, the child says what its own page
//! table has of this page (`/proc/self/pagemap`), and of a page in use.
//!
//! One of the observers here, `exec-fork-chdir`, reads the path that way only for calls that fail (by its source). Of a
//! program that starts, as here, it tells what the kernel has copied. The tracepoint of the call records only the
//! address before 6.19, and from then on the string too, read with faults allowed (`trace_user_fault_read` in
//! kernel/trace/trace.c). A tracer that has stopped the process brings the page in itself.
//!
//! See proc_pid_pagemap(5); bpf-helpers(7), `bpf_probe_read_user_str`; kernel/trace/trace_syscalls.c.

use std::fs::File;
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::proc::is_present;
use crate::scenario::{Args, Exec, Scenario, System};
use crate::subject::say;
use crate::sys::Mapping;

pub const SCENARIO: Scenario = Scenario {
    summary: "execve whose path is on a page that is not present yet",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let exec = Exec::by("execve by a fresh page", "/usr/bin/true", by_a_fresh_page)?;
    system.observe(&exec.itself())?;
    Ok(())
}

fn by_a_fresh_page(args: &Args<'_>) -> nix::Result<()> {
    use std::io::Write as _;
    let memory = File::from(memfd_create(c"path", MFdFlags::MFD_CLOEXEC)?);
    let written = (&memory).write_all(args.path().to_bytes_with_nul());
    written.map_err(|_| Errno::EIO)?;
    let page = Mapping::shared(memory.as_fd())?;
    for (name, address) in [
        ("page of the path", page.address()),
        ("page in use", (&raw const page).addr()),
    ] {
        let there = is_present(address).map_err(|_| Errno::EIO)?;
        let state = if there { "present" } else { "not present" };
        say(name, state).map_err(|_| Errno::EPIPE)?;
    }
    args.execve_at(|addresses| addresses.path = page.address())
}

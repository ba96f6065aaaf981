//! The longest path, the longest component, and the most symlinks.
//!
//! `getname` takes `PATH_MAX` bytes, the NUL included. The file system limits a component, to 255 bytes on tmpfs
//! (`simple_lookup`) and most others. `reserve_stack` counts symlinks up to `MAXSYMLINKS`.
//!
//! See path_resolution(7).

use std::ffi::CString;

use crate::scenario::{Elf, Evidence, Exec, Scenario, Search, System};

pub const SCENARIO: Scenario = Scenario {
    summary: "a path of 4095 bytes, a component of 255, and 40 symlinks pass",
    run,
    ..Scenario::DEFAULT
};

/// A start that the trail shows as `what`, whatever its path.
fn named(what: &'static str, path: String) -> anyhow::Result<Exec> {
    let path = CString::new(path)?;
    Exec::by("execve", what, move |args| {
        args.execve_at(|at| at.path = path.as_ptr().expose_provenance())
    })
}

fn run(system: &mut System) -> anyhow::Result<()> {
    let program = Elf::new().build();
    let file = system.file("program", &program, 0o755)?;
    let file = file.to_string_lossy().into_owned();
    let path = |length: usize| {
        let slashes = "/".repeat(length - file.len());
        named("//...tmp/program", format!("{slashes}{file}"))
    };
    let search = Search {
        least: 100,
        expected: 4095,
        greatest: 10_000,
    };
    let longest = system.last_that_starts(search, |_, length| path(length))?;
    let mut claim = Evidence::new("limit/path");
    claim.stated("longest path with its NUL", 4096, longest + 1);
    system.fact("longest path", longest)?;
    system.look(&format!("path of {longest} bytes"), &path(longest)?)?;
    system.look(
        &format!("path of {} bytes", longest + 1),
        &path(longest + 1)?,
    )?;
    system.verdict(&claim)?;

    let longest = (200..300).take_while(|length| {
        let name = "c".repeat(*length);
        system.file(&name, &program, 0o755).is_ok()
    });
    let longest = longest.last().unwrap_or(0);
    let component = |length| named("/tmp/ccc...", format!("/tmp/{}", "c".repeat(length)));
    let search = Search {
        least: 200,
        expected: 255,
        greatest: longest + 1,
    };
    let edge = system.last_that_starts(search, |_, length| component(length))?;
    let mut claim = Evidence::new("limit/component");
    claim.stated("longest component", 255, edge);
    system.fact("longest component", edge)?;
    system.look(&format!("component of {edge} bytes"), &component(edge)?)?;
    system.look(
        &format!("component of {} bytes", edge + 1),
        &component(edge + 1)?,
    )?;
    system.verdict(&claim)?;

    system.link("program", "link1")?;
    for number in 2..100 {
        system.link(format!("link{}", number - 1), &format!("link{number}"))?;
    }
    let links = |number: usize| Exec::path(format!("/tmp/link{number}"));
    let search = Search {
        least: 1,
        expected: 40,
        greatest: 99,
    };
    let most = system.last_that_starts(search, |_, number| links(number))?;
    let mut claim = Evidence::new("limit/symlinks");
    claim.stated("most links", 40, most);
    system.fact("most links", most)?;
    system.look(&format!("{most} links"), &links(most)?)?;
    system.look(&format!("{} links", most + 1), &links(most + 1)?)?;
    system.verdict(&claim)
}

//! filename is the path of an executable or a script. The scenario also tries NULL and a name without an end.
//!
//! `getname` reads it with `strncpy_from_user`: ENAMETOOLONG when there is no NUL in 4096 bytes, EFAULT where the memory ends
//! before these and before the NUL.
//!
//! See execve(2).

use std::ffi::CString;

use nix::unistd::chdir;

use crate::scenario::{Elf, Evidence, Exec, Scenario, System};
use crate::sys::Edge;
use crate::trail::How;

pub const SCENARIO: Scenario = Scenario {
    summary: "filename: NULL is EFAULT, no NUL is ENAMETOOLONG or EFAULT",
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    system.file("program", &Elf::new().build(), 0o755)?;
    system.script("script", "#!/tmp/program\n")?;
    system.link("program", "link")?;
    let mut claim = Evidence::new("param/filename");
    let below = Exec::path("program")?.before(|| Ok(chdir("/tmp")?));
    for (what, exec) in [
        ("executable", Exec::path("/tmp/program")?),
        ("script", Exec::path("/tmp/script")?),
        ("link to an executable", Exec::path("/tmp/link")?),
        ("path relative to the working directory", below),
    ] {
        claim.stated(what, How::Exit(0), system.look(what, &exec)?.how);
    }
    let null = Exec::by("execve", "NULL", |args| args.execve_at(|at| at.path = 0))?;
    let seen = system.look("NULL", &null)?;
    system.fact("filename NULL", seen.how)?;
    let endless = Exec::by("execve", "/tmp/program without NUL", |args| {
        let name = Edge::new(b"/tmp/program")?;
        args.execve_at(|at| at.path = name.address())
    })?;
    let seen = system.look("without NUL where the memory ends", &endless)?;
    system.fact("filename that does not end with the memory", seen.how)?;
    let name = CString::new("/".repeat(5000))?;
    let long = Exec::by("execve", "5000 bytes of /", move |args| {
        args.execve_at(|at| at.path = name.as_ptr().expose_provenance())
    })?;
    let seen = system.look("no NUL in 4096 bytes", &long)?;
    system.fact("filename without NUL in 4096 bytes", seen.how)?;
    system.verdict(&claim)
}

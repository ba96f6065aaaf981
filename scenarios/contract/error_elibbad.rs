//! ELIBBAD: the ELF interpreter is not in a recognised format.
//!
//! `load_elf_binary` (fs/binfmt_elf.c) looks at the interpreter in this order:
//!
//! - It reads an ELF header's size and wants all of it: a shorter file is EIO (`elf_read`).
//! - It checks magic, machine, and the size and place of the program headers: an error there is ELIBBAD.
//! - After the point of no return `load_elf_interp` finds out whether the interpreter is of a kind that can be loaded and has
//!   anything to load. If not, the process dies of SIGSEGV.
//!
//! See execve(2), ELIBBAD.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "ELIBBAD: the ELF interpreter has an unknown format",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let flawed = |flaw| Elf::new().flaw(flaw).build();
    let mut execs = Vec::new();
    for (what, interpreter) in [
        ("a text of 100 bytes", vec![b'x'; 100]),
        ("for another machine", flawed(Flaw::Machine)),
        ("for i386", Elf::new_32().build()),
        ("headers of another size", flawed(Flaw::HeaderSize)),
        ("headers after its end", flawed(Flaw::HeadersOutside)),
        ("no headers", flawed(Flaw::NoHeaders)),
        ("a text of 10 bytes", vec![b'x'; 10]),
        ("empty", Vec::new()),
        ("cut in its header", flawed(Flaw::Short)),
        ("relocatable", flawed(Flaw::Relocatable)),
        ("nothing to load", flawed(Flaw::NothingLoaded)),
    ] {
        let name = what.replace(' ', "-");
        let path = system.file(&format!("ld-{name}"), &interpreter, 0o755)?;
        let program = Elf::new().interpreter(&path.to_string_lossy());
        execs.push((
            what,
            Exec::path(system.file(&name, &program.build(), 0o755)?)?,
        ));
    }
    system.file("ld", &Elf::new().build(), 0o755)?;
    let program = Elf::new().interpreter("/tmp/ld").build();
    let good = Exec::path(system.file("good", &program, 0o755)?)?;
    let mut claim = ErrnoClaim::new(system, "error/ELIBBAD", Errno::ELIBBAD);
    claim.starts("interpreter without a flaw", &good)?;
    for (what, exec) in &execs {
        claim.stated(what, exec)?;
    }
    claim.verdict()
}

//! ENOEXEC: the format is not recognised, is for another architecture, or has another error.
//!
//! What the kernel asks of a file's own headers before the point of no return is ENOEXEC (`load_elf_binary`, `load_elf_phdrs`,
//! `load_script`). Other errors of a format come out otherwise:
//!
//! - An interpreter's name that lies after the end is a read that is too short: EIO (`elf_read`). At an offset of 2^63 or more it
//!   is EINVAL (`rw_verify_area`).
//! - A segment that cannot be mapped is found after the point of no return: the call ends by SIGSEGV.
//!
//! The call does not find two more. It succeeds, and the program dies of SIGSEGV, here by its own first instruction:
//!
//! - A segment beyond the file's end, as far as the kernel need not clear a rest of it. Here that instruction is zeros after the
//!   end, in the file's last page; a page beyond it is SIGBUS. Beyond the last page the kernel cannot clear a rest: SIGSEGV out
//!   of the call (`padzero`).
//! - A program that has nothing to load. With nothing to load but an ELF interpreter, the interpreter runs.
//!
//! See execve(2), ENOEXEC.

use nix::errno::Errno;

use crate::scenario::{Elf, ErrnoClaim, Exec, Flaw, Scenario, System, needs};

pub const SCENARIO: Scenario = Scenario {
    summary: "ENOEXEC: unknown, foreign or wrong format",
    needs: &[needs::EXEC_COUNTER],
    run,
    ..Scenario::DEFAULT
};

fn run(system: &mut System) -> anyhow::Result<()> {
    let flawed = |flaw| Elf::new().flaw(flaw).build();
    let named = |name: &[u8]| Elf::new().interpreter_bytes(name).build();
    // One byte longer with its NUL: slashes, and a loader that exists.
    let long = |length: usize| [&vec![b'/'; length - 7][..], b"/tmp/ld\0"].concat();
    let outside = Elf::new()
        .interpreter("/tmp/ld")
        .flaw(Flaw::InterpreterOutside);
    system.file("ld", &Elf::new().build(), 0o755)?;
    let loaded = Elf::new().interpreter("/tmp/ld").flaw(Flaw::NothingLoaded);
    let mut execs = Vec::new();
    for (what, file) in [
        ("empty", Vec::new()),
        ("text without #!", b"echo\n".to_vec()),
        ("#! without a name", b"#! \n".to_vec()),
        (
            "#! and blanks to the end of what is read",
            [b"#!".as_slice(), &[b' '; 254]].concat(),
        ),
        (
            "#! with a name that does not end",
            [b"#!".as_slice(), &[b'x'; 300]].concat(),
        ),
        ("for another machine", flawed(Flaw::Machine)),
        ("cut in its header", flawed(Flaw::Short)),
        ("relocatable", flawed(Flaw::Relocatable)),
        ("no program headers", flawed(Flaw::NoHeaders)),
        ("program headers of another size", flawed(Flaw::HeaderSize)),
        (
            "program headers after its end",
            flawed(Flaw::HeadersOutside),
        ),
        ("interpreter's name without a NUL", named(b"/tmp/ld")),
        ("interpreter's name empty", named(b"\0")),
        ("interpreter's name of 4096 bytes", named(&long(4096))),
        ("interpreter's name after its end", outside.build()),
        ("segment beyond user space", flawed(Flaw::Address)),
        ("segment after its end", flawed(Flaw::Truncated)),
        ("nothing to load", flawed(Flaw::NothingLoaded)),
        ("nothing to load but an ELF interpreter", loaded.build()),
    ] {
        let name = what.replace([' ', '#', '!', '\''], "-");
        execs.push((what, Exec::path(system.file(&name, &file, 0o755)?)?));
    }
    let good = Exec::path(system.file("good", &Elf::new().build(), 0o755)?)?;
    let loaded = Exec::path(system.file("loaded", &named(b"/tmp/ld\0"), 0o755)?)?;
    let longest = Exec::path(system.file("longest", &named(&long(4095)), 0o755)?)?;
    let mut claim = ErrnoClaim::new(system, "error/ENOEXEC", Errno::ENOEXEC);
    claim.starts("no flaw", &good)?;
    claim.starts("no flaw, with an ELF interpreter", &loaded)?;
    claim.starts("interpreter's name of 4095 bytes", &longest)?;
    for (what, exec) in &execs {
        claim.stated(what, exec)?;
    }
    claim.verdict()
}

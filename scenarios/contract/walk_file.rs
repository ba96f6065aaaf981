//! What the tours tell of how the kernel finds a file's format.
//!
//! The kernel reads 256 bytes of a file (`BINPRM_BUF_SIZE`, [c:script-256]; 128 before), so that an entry of binfmt_misc may look
//! at the 200th byte.
//!
//! `sched_exec` comes after the open on every kernel, in `bprm_execve` (fs/exec.c): a call for a file that is not there does not
//! reach it.
//!
//! Which handlers there are depends on architecture, configuration and version: of the seven, the kernels of the table have
//! three.
//!
//! The kernel tries the handlers in turn until one takes the file or gives another errno than ENOEXEC. binfmt_misc is first
//! (`insert_binfmt`), and ELF for 64 bits comes before ELF for 32 (the two have one name; both are counted, by their addresses).
//! For a script whose interpreter nobody knows, the kernel tries both files.
//!
//! Before [c:no-binfmt-modprobe] the kernel asked for a module where the first four bytes are not all printable (`printable`).
//! Since then it never does, and `search_binary_handler` goes through the handlers once.
//!
//! See [c:execve-scripts], and Documentation/admin-guide/binfmt-misc.rst.

use std::ffi::CStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;

use crate::scenario::{Elf, Evidence, Exec, Scenario, System, needs};
use crate::subject::say;
use crate::sys::Passes;

pub const SCENARIO: Scenario = Scenario {
    summary: "what tours tell of how a file's format is found",
    needs: &[
        needs::OWN_SETTINGS,
        needs::BINFMT_MISC,
        needs::KPROBE_COUNTS,
        needs::MODULES,
        needs::KERNEL_HELPERS,
    ],
    deadline: std::time::Duration::from_secs(60),
    run,
    ..Scenario::DEFAULT
};

/// What is counted, with its name in the evidence, beside the handlers of ELF.
const COUNTED: [(&str, &CStr); 3] = [
    ("sched_exec", c"sched_exec"),
    ("binfmt_misc", c"load_misc_binary"),
    ("script", c"load_script"),
];

/// The handlers that tours name.
const HANDLERS: [(&str, &CStr); 7] = [
    ("scripts", c"load_script"),
    ("binfmt_misc", c"load_misc_binary"),
    ("ELF", c"load_elf_binary"),
    ("a.out", c"load_aout_binary"),
    ("flat", c"load_flat_binary"),
    ("FDPIC ELF", c"load_elf_fdpic_binary"),
    ("em86", c"load_em86"),
];

fn run(system: &mut System) -> Result<()> {
    system.file("good", &Elf::new().build(), 0o755)?;
    system.file("unknown", b"nothing that anybody knows\n", 0o755)?;
    system.file("unprintable", &[1, 2, 3, 4, 5], 0o755)?;
    system.script("script", "#!/tmp/unknown\n")?;
    system.file("taken", b"TAKEN\n", 0o755)?;
    for (name, program) in [("linked", Elf::new()), ("linked32", Elf::new_32())] {
        let program = program.interpreter("/tmp/none").build();
        system.file(name, &program, 0o755)?;
    }
    let far = [&[b'x'; 200][..], b"EXETRAIL"].concat();
    system.file("far", &far, 0o755)?;
    read(system)?;
    let elf = elf_handlers()?;
    sched_exec(system, &elf)?;
    formats(system)?;
    tried(system, &elf)?;
    modprobe(system, &elf)
}

fn read(system: &mut System) -> Result<()> {
    let mut claim = Evidence::new("walk-file/first_128");
    let exec = Exec::path("/tmp/far")?;
    let before = system.case("words at the 200th byte that nobody knows", &exec)?;
    claim.control("without an entry", "errno ENOEXEC", before)?;
    system.format("exetrail", "M:200:EXETRAIL::/tmp/good:")?;
    let what = "an entry of binfmt_misc that looks at the 200th byte";
    claim.stated(what, "errno ENOEXEC", system.case(what, &exec)?);
    system.verdict(&claim)
}

fn sched_exec(system: &mut System, elf: &[u64]) -> Result<()> {
    let mut claim = Evidence::new("walk-file/sched_exec");
    for (what, path, wanted) in [
        ("a file that is not there", "/tmp/none", "0"),
        ("a file of no format", "/tmp/unknown", "1"),
    ] {
        let seen = system.look(what, &counted(path, elf)?)?;
        claim.stated(what, wanted, seen.found("sched_exec")?);
    }
    system.verdict(&claim)
}

fn formats(system: &mut System) -> Result<()> {
    let kind = needs::kprobe_source()?;
    let mut claim = Evidence::new("walk-file/formats");
    for (name, symbol) in HANDLERS {
        let found = match Passes::of_function(0, kind, symbol) {
            // There may be two of a name, for programs of 64 and 32 bits, and none is chosen then.
            Ok(_) | Err(Errno::EADDRNOTAVAIL) => "built in".to_owned(),
            Err(Errno::ENOENT) => "missing".to_owned(),
            Err(errno) => format!("{errno:?}"),
        };
        let symbol = symbol.to_string_lossy();
        claim.stated(&format!("{name} ({symbol})"), "built in", found);
    }
    system.verdict(&claim)
}

fn tried(system: &mut System, elf: &[u64]) -> Result<()> {
    let mut claim = Evidence::new("walk-file/in_turn");
    system.format("taken", "M::TAKEN::/tmp/unknown:")?;
    let all = elf.len();
    for (what, path, misc, script, own) in [
        ("a file of no format", "/tmp/unknown", 1, 1, all),
        (
            "a script with an interpreter of no format",
            "/tmp/script",
            2,
            2,
            all,
        ),
        (
            "a file that binfmt_misc takes, with an interpreter of no format",
            "/tmp/taken",
            2,
            1,
            all,
        ),
        // Its handler takes it, and gives an errno of its own.
        (
            "a program of 64 bits whose ELF interpreter is missing",
            "/tmp/linked",
            1,
            1,
            1,
        ),
        (
            "a program of 32 bits whose ELF interpreter is missing",
            "/tmp/linked32",
            1,
            1,
            all,
        ),
    ] {
        let what = format!("{what}, how often each");
        let seen = system.look(&what, &counted(path, elf)?)?;
        for (name, wanted) in [("binfmt_misc", misc), ("script", script), ("ELF", own)] {
            claim.stated(&format!("{what}: {name}"), wanted, seen.found(name)?);
        }
    }
    system.verdict(&claim)
}

fn modprobe(system: &mut System, elf: &[u64]) -> Result<()> {
    let mut claim = Evidence::new("walk-file/modprobe");
    system.sysctl("kernel/modprobe", "/usr/bin/true")?;
    let what = "text that can be printed, how often";
    let seen = system.look(what, &counted("/tmp/unknown", elf)?)?;
    claim.stated(what, "2", seen.found("script")?);
    let what = "other bytes, how often";
    let seen = system.look(what, &counted("/tmp/unprintable", elf)?)?;
    let condition = "where the first four are not all printable";
    claim.stated_if(condition, what, "2", seen.found("script")?);
    system.verdict(&claim)
}

/// A call that fails; its caller then says how often it reached each counted function.
fn counted(path: &str, elf: &[u64]) -> Result<Exec> {
    let elf = elf.to_vec();
    Exec::by("counted execve", path, move |args| {
        let passes = count(&elf).map_err(|_| Errno::EBADMSG)?;
        let result = args.execve();
        for (name, passes) in passes {
            // A child that cannot say it has said nothing, and the scenario misses its line.
            let _ = say(
                name,
                passes
                    .count()
                    .map_or_else(|error| error.to_string(), |count| count.to_string()),
            );
        }
        result
    })
}

fn count(elf: &[u64]) -> Result<Vec<(&'static str, Passes)>> {
    let kind = needs::kprobe_source()?;
    let passes = |(name, function)| Ok((name, Passes::of_function(0, kind, function)?));
    let mut all: Vec<_> = COUNTED.into_iter().map(passes).collect::<Result<_>>()?;
    all.push(("ELF", Passes::of_addresses(0, kind, elf)?));
    Ok(all)
}

/// The addresses of the ELF handlers: two of one name, as the kernel compiles one file for 64-bit and for 32-bit programs.
fn elf_handlers() -> Result<Vec<u64>> {
    const SYMBOLS: &str = "/proc/kallsyms";
    let failed = || format!("failed to read {SYMBOLS}");
    let mut list = BufReader::with_capacity(1 << 16, File::open(SYMBOLS).with_context(failed)?);
    let (mut line, mut found) = (String::new(), Vec::new());
    // The list is long, and sorted by address: behind the kernel's own code there is no handler.
    while list.read_line(&mut line).with_context(failed)? > 0 && !line.ends_with(" _etext\n") {
        if line.ends_with(" load_elf_binary\n") {
            let address = line.split(' ').next().unwrap_or_default();
            found.push(u64::from_str_radix(address, 16).with_context(failed)?);
        }
        line.clear();
    }
    ensure!(!found.is_empty(), "{SYMBOLS} has no load_elf_binary");
    Ok(found)
}

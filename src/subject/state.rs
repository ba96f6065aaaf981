//! What a program of ours finds of its own state: the fields that scenarios can ask for.
//!
//! Reading it opens files of `/proc` alone, which is not watched.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::word::Finding;
use super::{bare, printable};
use bare::{Failed, Given, Registers};

/// One thing that can be asked for.
type Field = (&'static str, fn(&Own<'_>) -> String);

/// Where a field is looked for.
struct Own<'a> {
    given: &'a Given,
    /// `/proc/self/status` (proc_pid_status(5)).
    status: Result<Vec<u8>, Failed>,
}

/// All fields, each with how it is found.
const FIELDS: &[Field] = &[
    ("pending", |own| signals(own, "SigPnd")),
    ("shared-pending", |own| signals(own, "ShdPnd")),
    ("blocked", |own| signals(own, "SigBlk")),
    ("ignored", |own| signals(own, "SigIgn")),
    ("caught", |own| signals(own, "SigCgt")),
    ("queue", |_| queue()),
    ("altstack", |_| {
        let size =
            |size: Option<u64>| size.map_or_else(|| "none".to_owned(), |size| size.to_string());
        bare::alternate_stack().map_or_else(errno, size)
    }),
    ("exit-signal", |_| stat(38)),
    ("timers", |_| timers()),
    ("posix-timers", |_| posix_timers()),
    ("threads", |own| line(own, "Threads")),
    ("leader", |_| {
        yes_or_no(bare::thread_id() == bare::process_id())
    }),
    ("session-leader", |_| {
        yes_or_no(bare::session_id() == bare::process_id())
    }),
    ("descriptors", |_| descriptors()),
    ("uids", |own| line(own, "Uid")),
    ("gids", |own| line(own, "Gid")),
    ("groups", |own| line(own, "Groups")),
    ("capabilities", capabilities),
    ("inheritable", |own| set(own, "CapInh")),
    ("permitted", |own| set(own, "CapPrm")),
    ("effective", |own| set(own, "CapEff")),
    ("ambient", |own| set(own, "CapAmb")),
    ("no-new-privileges", |own| line(own, "NoNewPrivs")),
    ("seccomp", |own| line(own, "Seccomp")),
    ("securebits", |_| {
        number(bare::prctl(bare::PR_GET_SECUREBITS))
    }),
    ("keep-capabilities", |_| {
        number(bare::prctl(bare::PR_GET_KEEPCAPS))
    }),
    ("dumpable", |_| number(bare::prctl(bare::PR_GET_DUMPABLE))),
    ("death-signal", |_| match bare::death_signal() {
        Ok(signal) => signal_name(signal),
        Err(failed) => errno(failed),
    }),
    ("secure", |own| {
        let secure = own.given.secure;
        secure.map_or_else(|| "none".to_owned(), |value| value.to_string())
    }),
    ("auxiliary-flags", |own| {
        let flags = own.given.auxiliary_flags;
        flags.map_or_else(|| "none".to_owned(), |value| value.to_string())
    }),
    ("personality", |_| {
        bare::personality().map_or_else(errno, |bits| format!("{bits:#x}"))
    }),
    ("umask", |own| line(own, "Umask")),
    ("directory", |_| link("/proc/self/cwd")),
    ("root", |_| link("/proc/self/root")),
    ("exe", |_| link("/proc/self/exe")),
    ("comm", |_| {
        bare::read("/proc/self/comm").map_or_else(errno, name)
    }),
    ("mark", |_| mark()),
    ("huge-pages-off", |_| {
        number(bare::prctl(bare::PR_GET_THP_DISABLE))
    }),
    ("aio", |_| count_of_maps("[aio]")),
    ("segments", |_| count_of_maps("/SYSV")),
    ("interpreter-maps", |_| count_of_maps(INTERPRETER)),
    ("locks", |_| locks()),
    ("can-lock", |_| match bare::lock(LOCKED_FD) {
        Ok(()) => "yes".to_owned(),
        Err(failed) => errno(failed),
    }),
    ("locked", |own| line(own, "VmLck")),
    ("new-page-locked", |_| {
        bare::new_page().map_or_else(errno, |page| {
            told_by("/proc/self/smaps", |text| is_locked(text, page))
        })
    }),
    ("nice", |_| stat(19)),
    ("limits", |_| limits()),
    ("argv", |own| argv(own.given)),
    ("execfn", |own| {
        let execfn = own.given.execfn.as_deref();
        execfn.map_or_else(|| "none".to_owned(), printable)
    }),
    ("strings", strings),
    ("registers", registers),
    ("flags", |own| {
        let found = own
            .given
            .registers
            .map(|found| format!("{:#x}", found.flags));
        found.unwrap_or_else(|| "unknown".to_owned())
    }),
    ("segment-registers", segment_registers),
    ("argc", |own| own.given.argv.len().to_string()),
    ("argument-lengths", |own| {
        let arguments = own.given.argv.iter();
        let lengths = arguments.map(|argument| argument.len().to_string());
        lengths.collect::<Vec<_>>().join(" ")
    }),
    ("environment", |own| own.given.environment.len().to_string()),
];

/// `ENOENT`.
const NOT_THERE: Failed = Failed(2);

/// A file by this name is the one whose mappings are counted.
const INTERPRETER: &str = "/tmp/interpreter";

/// A file by this name is the one whose locks are told.
pub const LOCKED: &str = "/tmp/locked";
/// Where a program has it open that says whether it can lock it.
const LOCKED_FD: i32 = 5;

/// Whether there is a field of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    FIELDS.iter().any(|(known, _)| *known == name)
}

/// What this process finds; `names` are parted by commas.
#[must_use]
pub fn look(names: &str, given: &Given) -> Vec<Finding> {
    let status = bare::read("/proc/self/status");
    find(names, &Own { given, status })
}

fn find(names: &str, own: &Own<'_>) -> Vec<Finding> {
    let wanted = names.split(',');
    let fields = wanted.filter_map(|name| FIELDS.iter().find(|(known, _)| *known == name));
    fields.map(|(name, find)| (*name, find(own))).collect()
}

/// Which strings lie where, from the lowest address to the highest.
fn strings(own: &Own<'_>) -> String {
    let mut places = own.given.places.clone();
    places.sort_by_key(|(_, place)| *place);
    let names: Vec<_> = places.iter().map(|(name, _)| *name).collect();
    or_none(names.join(" "))
}

/// The general registers that were not 0 at the first instruction, with what was in them.
fn registers(own: &Own<'_>) -> String {
    let Some(found) = own.given.registers else {
        return "unknown".to_owned();
    };
    let all = Registers::GENERAL.iter().zip(found.general);
    let set = all.filter(|(_, value)| *value != 0);
    let set: Vec<_> = set
        .map(|(name, value)| format!("{name}={value:#x}"))
        .collect();
    or_none(set.join(" "))
}

fn segment_registers(own: &Own<'_>) -> String {
    let Some(found) = own.given.registers else {
        return "unknown".to_owned();
    };
    let all = Registers::SEGMENTS.iter().zip(found.segments);
    let all: Vec<_> = all
        .map(|(name, value)| format!("{name}={value:#x}"))
        .collect();
    all.join(" ")
}

/// A line of the status, its blanks as single ones. It is read as bytes: any of them may be in a comm.
fn line(own: &Own<'_>, key: &str) -> String {
    let status = match &own.status {
        Ok(status) => status,
        Err(failed) => return errno(*failed),
    };
    let mut lines = status.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b":"));
    let words = value.unwrap_or(b"none").split(u8::is_ascii_whitespace);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    or_none(printable(&words.join(&b' ')))
}

/// A comm as the kernel tells it, with a newline behind it; in the status it is escaped.
fn name(comm: Vec<u8>) -> String {
    or_none(printable(comm.strip_suffix(b"\n").unwrap_or(&comm)))
}

/// A mask of signals in the status, by names.
fn signals(own: &Own<'_>, key: &str) -> String {
    u64::from_str_radix(&line(own, key), 16).map_or_else(|_| "unknown".to_owned(), names)
}

fn names(mask: u64) -> String {
    let set = (1..=64).filter(|number| mask & (1 << (number - 1)) != 0);
    let names: Vec<_> = set.map(signal_name).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(" "),
    }
}

/// What was queued, taken one by one with its value.
fn queue() -> String {
    let taken = bare::take_pending().into_iter();
    let taken = taken.map(|one| format!("{}={}", signal_name(one.number), one.value));
    or_none(taken.collect::<Vec<_>>().join(" "))
}

fn or_none(text: String) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

/// A set of capabilities without its leading zeros.
fn set(own: &Own<'_>, key: &str) -> String {
    let digits = line(own, key);
    let bits = digits.trim_start_matches('0');
    if bits.is_empty() { "0" } else { bits }.to_owned()
}

/// All arguments, each in quotes.
fn argv(given: &Given) -> String {
    let quoted = |argument: &Vec<u8>| format!("'{}'", printable(argument));
    or_none(given.argv.iter().map(quoted).collect::<Vec<_>>().join(" "))
}

/// Whether something is mapped where scenarios map what has to go.
fn mark() -> String {
    let start = format!("{:08x}-", bare::MARK);
    told_by("/proc/self/maps", |text| {
        yes_or_no(text.lines().any(|line| line.starts_with(&start)))
    })
}

fn count_of_maps(what: &str) -> String {
    told_by("/proc/self/maps", |text| {
        let lines = text.lines().filter(|line| line.contains(what));
        lines.count().to_string()
    })
}

/// Whether what is mapped at an address is locked (proc_pid_smaps(5), VmFlags).
fn is_locked(smaps: &str, address: usize) -> String {
    let bound = |text: &str| usize::from_str_radix(text, 16).ok();
    let range = |line: &str| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some(bound(start)?..bound(end)?)
    };
    let mut lines = smaps.lines();
    lines.find(|line| range(line).is_some_and(|range| range.contains(&address)));
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:"));
    flags.map_or_else(
        || "unknown".to_owned(),
        |flags| yes_or_no(flags.split_whitespace().any(|flag| flag == "lo")),
    )
}

/// The kinds of locks on [`LOCKED`] (proc_locks(5)).
fn locks() -> String {
    match bare::identity(LOCKED) {
        Ok(file) => told_by("/proc/locks", |text| kinds_of_locks(text, file)),
        Err(NOT_THERE) => "no file".to_owned(),
        Err(failed) => errno(failed),
    }
}

/// Of the file with these major and minor numbers of a device and this inode; the kernel prints the first two in
/// hexadecimal (`lock_get_status` in fs/locks.c).
fn kinds_of_locks(text: &str, (major, minor, inode): (u32, u32, u64)) -> String {
    let own = format!("{major:02x}:{minor:02x}:{inode}");
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next()?.to_owned();
        (words.nth(3)? == own).then_some(kind)
    };
    let mut kinds: Vec<_> = text.lines().filter_map(of).collect();
    kinds.sort_unstable();
    or_none(kinds.join(" "))
}

/// Names of the signals from 1 on (signal(7)).
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

fn signal_name(number: i32) -> String {
    if number == 0 {
        return "none".to_owned();
    }
    let place = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let name = SIGNALS.get(place).map(|name| (*name).to_owned());
    name.unwrap_or_else(|| format!("signal-{number}"))
}

/// A field of `/proc/self/stat`, counted from 1 (proc_pid_stat(5)).
fn stat(field: usize) -> String {
    told_by("/proc/self/stat", |text| {
        // The second field is a name in brackets, in which everything may be.
        let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut fields = rest.split_whitespace();
        fields.nth(field - 3).unwrap_or("unknown").to_owned()
    })
}

fn timers() -> String {
    let armed = match bare::interval_timers() {
        Ok(armed) => armed,
        Err(failed) => return errno(failed),
    };
    let names = ["real", "virtual", "profiling"].into_iter().zip(armed);
    let names: Vec<_> = names
        .filter_map(|(name, armed)| armed.then_some(name))
        .collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(" "),
    }
}

fn posix_timers() -> String {
    match bare::read("/proc/self/timers") {
        Ok(text) => text_lines(&text, "ID:").to_string(),
        Err(failed) => errno(failed),
    }
}

/// Open descriptors by number, without those that are the lab's own.
fn descriptors() -> String {
    // Asked one by one: reading the directory would need a descriptor of its own.
    let mut open = Vec::new();
    for number in 0..100 {
        match bare::read_link(&format!("/proc/self/fd/{number}")) {
            Ok(_) => open.push(number.to_string()),
            Err(NOT_THERE) => {}
            Err(failed) => return errno(failed),
        }
    }
    or_none(open.join(" "))
}

fn capabilities(own: &Own<'_>) -> String {
    let names = ["Inh", "Prm", "Eff", "Bnd", "Amb"].map(|set| (set, format!("Cap{set}")));
    let sets = names.map(|(set, key)| {
        let digits = line(own, &key);
        let bits = digits.trim_start_matches('0');
        format!(
            "{}={}",
            set.to_lowercase(),
            if bits.is_empty() { "0" } else { bits }
        )
    });
    sets.join(" ")
}

fn limits() -> String {
    told_by("/proc/self/limits", limits_of)
}

fn limits_of(text: &str) -> String {
    let line = |line: &str| {
        let (name, values) = line.split_at_checked(26)?;
        let mut values = values.split_whitespace();
        Some(format!(
            "{}={}/{}",
            name.trim(),
            values.next()?,
            values.next()?
        ))
    };
    let lines: Vec<_> = text.lines().skip(1).filter_map(line).collect();
    lines.join(", ")
}

fn link(path: &str) -> String {
    match bare::read_link(path) {
        Ok(target) => printable(&target),
        Err(NOT_THERE) => "none".to_owned(),
        Err(failed) => errno(failed),
    }
}

fn yes_or_no(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// What a call said: a number, or its errno.
#[must_use]
pub fn number(answer: Result<impl ToString, Failed>) -> String {
    answer.map_or_else(errno, |number| number.to_string())
}

fn errno(failed: Failed) -> String {
    format!("errno {}", failed.0)
}

/// What the text of a file tells, or why it cannot be read; what is no UTF-8, in a comm or a path, is none of what is told.
fn told_by(path: &str, tell: impl FnOnce(&str) -> String) -> String {
    bare::read(path).map_or_else(errno, |bytes| tell(&String::from_utf8_lossy(&bytes)))
}

/// How many lines begin like this.
fn text_lines(text: &[u8], start: &str) -> usize {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter(|line| line.starts_with(start.as_bytes()))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, status: &str) -> String {
        found_in(name, Ok(status.as_bytes().to_vec()))
    }

    fn found_in(name: &str, status: Result<Vec<u8>, Failed>) -> String {
        let given = Given::default();
        find(
            name,
            &Own {
                given: &given,
                status,
            },
        )
        .remove(0)
        .1
    }

    #[test]
    fn a_signal_has_the_name_that_the_c_library_gives_it() {
        for number in 1..32 {
            let name = nix::sys::signal::Signal::try_from(number).unwrap();
            assert_eq!(signal_name(number), name.as_str());
        }
        assert_eq!(signal_name(33), "signal-33");
    }

    #[test]
    fn a_mask_is_told_by_names_and_realtime_signals_by_number() {
        let status = "SigIgn:\t0000000200000201\n";
        assert_eq!(found("ignored", status), "SIGHUP SIGUSR1 signal-34");
        assert_eq!(found("ignored", "SigIgn:\t0000000000000000\n"), "none");
    }

    #[test]
    fn locks_are_told_by_their_kinds_for_one_file_alone() {
        let text = "1: POSIX  ADVISORY  WRITE 7 00:1a:34 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 7 00:1a:3 0 EOF\n\
                    3: FLOCK  ADVISORY  WRITE 7 00:1b:34 0 EOF\n";
        assert_eq!(kinds_of_locks(text, (0, 26, 34)), "POSIX");
        assert_eq!(kinds_of_locks(text, (0, 26, 5)), "none");
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_errno() {
        assert_eq!(found_in("umask", Err(Failed(13))), "errno 13");
        assert_eq!(told_by("/proc/self/no", |_| "none".to_owned()), "errno 2");
        assert_eq!(link("/nonexistent"), "none");
        assert_eq!(link("/proc/self/status"), "errno 22");
    }

    #[test]
    fn a_byte_that_is_no_text_takes_no_line_of_the_status_away() {
        let status = b"Name:\ta\xff\nUmask:\t0022\n".to_vec();
        assert_eq!(found_in("umask", Ok(status)), "0022");
    }

    #[test]
    fn a_comm_is_told_byte_by_byte() {
        assert_eq!(
            name(b"a\\n\n\xff  b\n".to_vec()),
            printable(b"a\\n\n\xff  b")
        );
        assert_eq!(name(b"\n".to_vec()), "none");
    }

    #[test]
    fn a_page_is_locked_by_the_flags_of_its_own_mapping() {
        let text = "1000-3000 rw-p 00000000 00:00 0\nSize: 8 kB\nVmFlags: rd wr lo \n\
                    3000-4000 rw-p 00000000 00:00 0 [heap]\nVmFlags: rd wr \n";
        assert_eq!(is_locked(text, 0x2000), "yes");
        assert_eq!(is_locked(text, 0x3000), "no");
        assert_eq!(is_locked(text, 0x4000), "unknown");
        assert_eq!(is_locked("1000-2000 rw-p\n", 0x1000), "unknown");
    }

    #[test]
    fn capabilities_are_told_set_by_set() {
        let status = "CapInh:\t0000\nCapPrm:\t00ff\nCapEff:\t0001\nCapBnd:\t01ff\nCapAmb:\t0000\n";
        let told = "inh=0 prm=ff eff=1 bnd=1ff amb=0";
        assert_eq!(found("capabilities", status), told);
    }

    #[test]
    fn an_empty_line_is_none() {
        assert_eq!(found("groups", "Groups:\t \n"), "none");
    }

    #[test]
    fn what_is_not_known_is_not_answered() {
        assert!(!is_known("mood"));
        assert!(look("mood", &Given::default()).is_empty());
    }
}

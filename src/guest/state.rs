//! What a program of ours finds of its own state: the fields that scenarios can ask for.
//!
//! Reading it opens files of `/proc` alone, which is not watched.

use std::fs;

use nix::errno::Errno;
use nix::libc;

use crate::sys::{self, Entry};
use crate::trail::{Fact, printable};

/// One thing that can be asked for.
type Field = (&'static str, fn(&Entry) -> String);

/// All fields, each with how it is found.
const FIELDS: &[Field] = &[
    ("pending", |entry| signals(entry, "SigPnd")),
    ("shared-pending", |entry| signals(entry, "ShdPnd")),
    ("blocked", |entry| signals(entry, "SigBlk")),
    ("ignored", |entry| signals(entry, "SigIgn")),
    ("caught", |entry| signals(entry, "SigCgt")),
    ("queue", |_| queue()),
    ("altstack", |entry| yes_or_no(entry.alternate_stack)),
    ("exit-signal", |_| stat(38)),
    ("timers", |_| timers()),
    ("posix-timers", |_| posix_timers()),
    ("threads", |entry| line(entry, "Threads")),
    ("leader", |_| {
        yes_or_no(nix::unistd::gettid() == nix::unistd::getpid())
    }),
    ("session-leader", |_| {
        let own = nix::unistd::getpid();
        yes_or_no(nix::unistd::getsid(None) == Ok(own))
    }),
    ("descriptors", |_| descriptors()),
    ("uids", |entry| line(entry, "Uid")),
    ("gids", |entry| line(entry, "Gid")),
    ("groups", |entry| line(entry, "Groups")),
    ("capabilities", capabilities),
    ("inheritable", |entry| set(entry, "CapInh")),
    ("permitted", |entry| set(entry, "CapPrm")),
    ("effective", |entry| set(entry, "CapEff")),
    ("ambient", |entry| set(entry, "CapAmb")),
    ("no-new-privileges", |entry| line(entry, "NoNewPrivs")),
    ("seccomp", |entry| line(entry, "Seccomp")),
    ("securebits", |_| {
        number(sys::prctl(libc::PR_GET_SECUREBITS, 0))
    }),
    ("keep-capabilities", |_| {
        number(sys::prctl(libc::PR_GET_KEEPCAPS, 0))
    }),
    ("dumpable", |_| number(sys::prctl(libc::PR_GET_DUMPABLE, 0))),
    ("death-signal", |_| match sys::death_signal() {
        Ok(signal) => signal_name(signal),
        Err(errno) => format!("{errno:?}"),
    }),
    ("secure", |_| {
        sys::auxv(libc::AT_SECURE).map_or_else(|| "none".to_owned(), |value| value.to_string())
    }),
    ("personality", |_| {
        // nix drops the bits that it has no name for, such as PER_LINUX32.
        sys::personality().map_or_else(|errno| format!("{errno:?}"), |bits| format!("{bits:#x}"))
    }),
    ("umask", |entry| line(entry, "Umask")),
    ("directory", |_| link("/proc/self/cwd")),
    ("root", |_| link("/proc/self/root")),
    ("exe", |_| link("/proc/self/exe")),
    ("comm", |entry| line(entry, "Name")),
    ("mark", |_| mark()),
    ("huge-pages-off", |_| {
        number(sys::prctl(libc::PR_GET_THP_DISABLE, 0))
    }),
    ("aio", |_| count_of_maps("[aio]")),
    ("segments", |_| count_of_maps("/SYSV")),
    ("locks", |_| locks()),
    ("locked", |entry| line(entry, "VmLck")),
    ("nice", |_| stat(19)),
    ("limits", |_| limits()),
    ("argv", |_| argv()),
    ("argc", |_| std::env::args_os().count().to_string()),
    ("argument-lengths", |_| {
        let lengths = std::env::args_os().map(|argument| argument.len().to_string());
        lengths.collect::<Vec<_>>().join(" ")
    }),
    ("environment", |_| std::env::vars_os().count().to_string()),
];

/// A file by this name is the one whose locks are told.
pub const LOCKED: &str = "/tmp/locked";

/// Whether there is a field of this name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    FIELDS.iter().any(|(known, _)| *known == name)
}

/// What this process finds; `names` are parted by commas.
#[must_use]
pub fn look(names: &str, entry: &Entry) -> Vec<Fact> {
    let wanted = names.split(',');
    let fields = wanted.filter_map(|name| FIELDS.iter().find(|(known, _)| *known == name));
    fields
        .map(|(name, find)| Fact::new(*name, find(entry)))
        .collect()
}

/// A line of the status, its blanks as single ones.
fn line(entry: &Entry, key: &str) -> String {
    let lines = entry.status.lines();
    let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let words: Vec<_> = values.next().unwrap_or("none").split_whitespace().collect();
    match words.is_empty() {
        true => "none".to_owned(),
        false => printable(words.join(" ").as_bytes()),
    }
}

/// A mask of signals in the status, by names.
fn signals(entry: &Entry, key: &str) -> String {
    u64::from_str_radix(&line(entry, key), 16).map_or_else(|_| "unknown".to_owned(), names)
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
    let taken = sys::take_pending().into_iter();
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
fn set(entry: &Entry, key: &str) -> String {
    let digits = line(entry, key);
    let bits = digits.trim_start_matches('0');
    if bits.is_empty() { "0" } else { bits }.to_owned()
}

/// All arguments, each in quotes.
fn argv() -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let quoted = |argument: std::ffi::OsString| format!("'{}'", printable(argument.as_bytes()));
    or_none(
        std::env::args_os()
            .map(quoted)
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// Whether something is mapped where scenarios map what has to go.
fn mark() -> String {
    let text = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let start = format!("{:08x}-", sys::MARK);
    yes_or_no(text.lines().any(|line| line.starts_with(&start)))
}

fn count_of_maps(what: &str) -> String {
    let text = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    text.lines()
        .filter(|line| line.contains(what))
        .count()
        .to_string()
}

/// The kinds of locks on [`LOCKED`] (proc_locks(5)).
fn locks() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(file) = fs::metadata(LOCKED) else {
        return "no file".to_owned();
    };
    kinds_of_locks(
        &fs::read_to_string("/proc/locks").unwrap_or_default(),
        file.ino(),
    )
}

fn kinds_of_locks(text: &str, inode: u64) -> String {
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next()?.to_owned();
        let file = words.nth(3)?;
        (file.rsplit(':').next()? == inode.to_string()).then_some(kind)
    };
    let mut kinds: Vec<_> = text.lines().filter_map(of).collect();
    kinds.sort_unstable();
    or_none(kinds.join(" "))
}

fn signal_name(number: i32) -> String {
    if number == 0 {
        return "none".to_owned();
    }
    let name = nix::sys::signal::Signal::try_from(number);
    name.map_or_else(|_| format!("signal-{number}"), |name| name.to_string())
}

/// A field of `/proc/self/stat`, counted from 1 (proc_pid_stat(5)).
fn stat(field: usize) -> String {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in brackets, in which everything may be.
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace();
    fields.nth(field - 3).unwrap_or("unknown").to_owned()
}

fn timers() -> String {
    let armed = sys::interval_timers().unwrap_or_default();
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
    let text = fs::read_to_string("/proc/self/timers");
    let count = text.map(|text| text.lines().filter(|line| line.starts_with("ID:")).count());
    count.map_or_else(|error| error.to_string(), |count| count.to_string())
}

/// Open descriptors by number, without those that are the lab's own.
fn descriptors() -> String {
    // Asked one by one: reading the folder would need a descriptor of its own.
    let open = (0..100).filter(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    let open: Vec<_> = open.map(|number: i32| number.to_string()).collect();
    match open.is_empty() {
        true => "none".to_owned(),
        false => open.join(" "),
    }
}

fn capabilities(entry: &Entry) -> String {
    let names = ["Inh", "Prm", "Eff", "Bnd", "Amb"].map(|set| (set, format!("Cap{set}")));
    let sets = names.map(|(set, key)| {
        let digits = line(entry, &key);
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
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
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
    use std::os::unix::ffi::OsStrExt as _;
    fs::read_link(path).map_or_else(
        |_| "none".to_owned(),
        |target| printable(target.as_os_str().as_bytes()),
    )
}

fn yes_or_no(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn number(answer: Result<i32, Errno>) -> String {
    answer.map_or_else(|errno| format!("{errno:?}"), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(status: &str) -> Entry {
        Entry {
            status: status.to_owned(),
            alternate_stack: false,
        }
    }

    fn found(name: &str, status: &str) -> String {
        look(name, &entry(status)).remove(0).value
    }

    #[test]
    fn a_mask_is_told_by_names_and_realtime_signals_by_number() {
        let status = "SigIgn:\t0000000200000201\n";
        assert_eq!(found("ignored", status), "SIGHUP SIGUSR1 signal-34");
        assert_eq!(found("ignored", "SigIgn:\t0000000000000000\n"), "none");
    }

    #[test]
    fn locks_are_told_by_their_kinds_for_one_file_alone() {
        let text = "1: POSIX  ADVISORY  WRITE 7 00:12:34 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 7 00:12:3 0 EOF\n";
        assert_eq!(kinds_of_locks(text, 34), "POSIX");
        assert_eq!(kinds_of_locks(text, 5), "none");
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
        assert!(look("mood", &entry("")).is_empty());
    }
}

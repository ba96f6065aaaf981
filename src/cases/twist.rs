//! What makes a case unusual: each twist is one thing, and a case has several at once.

use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::sample::select;

use super::circle;
use super::strategy::{NAMES, path};
use crate::case::{
    By, Case, CaseMount, Deny, Fd, Kind, Made, Namespace, Open, Registered, Then, Way,
};

/// Where a twist mounts something.
const MOUNTED: &str = "/tmp/m";
/// What the loader preloads into every program.
const PRELOAD: &str = "/etc/ld.so.preload";

/// One of them.
#[derive(Clone, Debug)]
pub enum Twist {
    /// The caller is this user, with further groups.
    User(u32, Vec<u32>),
    /// The caller has this root; `/tmp` leads back to it.
    Chroot,
    Directory(&'static str),
    Namespace(Namespace),
    Dropped(&'static str),
    NoNewPrivileges,
    Filtered(&'static str),
    Limit(&'static str, u64),
    /// A last argument of this length.
    LongArgument(usize),
    /// A variable of this length.
    LongVariable(usize),
    NoArguments,
    By(By),
    Int80,
    /// A file is open for writing.
    Written(usize),
    /// A file belongs to this user and group, and has this mode.
    Owner(usize, (u32, u32), u32),
    /// A file gives a capability.
    Capability(usize, &'static str),
    /// A file is a second name of the one before it.
    Hardlink(usize),
    /// What becomes of the descriptor.
    Then(Then),
    /// The descriptor leads into memory.
    Memory,
    /// A format of binfmt_misc, by all but its interpreter and flags.
    Format(&'static str, String, &'static str),
    /// A file lies on a mount of its own.
    Mounted {
        kind: Kind,
        option: Option<&'static str>,
        watched: bool,
        file: usize,
    },
    /// The program is reached by a bind mount.
    Bound(Option<&'static str>),
    /// What stands in `/etc/ld.so.preload`.
    Preload(&'static str),
    Deny(Deny),
    /// Variables of the loader.
    Variable(&'static str, &'static str),
}

/// Any twist.
pub fn twist() -> impl Strategy<Value = Twist> {
    let caller = prop_oneof![
        3 => (select(vec![65534, 1000]), select(vec![vec![], vec![100], vec![0, 1000]]))
            .prop_map(|(user, groups)| Twist::User(user, groups)),
        1 => Just(Twist::Chroot),
        1 => select(vec!["/tmp", "/tmp/d.exe", "/usr/lib"]).prop_map(Twist::Directory),
        1 => select(vec![Namespace::Mount, Namespace::User]).prop_map(Twist::Namespace),
        1 => select(vec!["net_raw", "dac_override"]).prop_map(Twist::Dropped),
        1 => Just(Twist::NoNewPrivileges),
        1 => select(vec!["EPERM", "EIO"]).prop_map(Twist::Filtered),
        3 => select(LIMITS.to_vec()).prop_map(|(name, value)| Twist::Limit(name, value)),
    ];
    let lengths = || select(vec![3000, 5000, 70_000, 131_071, 131_072]);
    let call = prop_oneof![
        2 => lengths().prop_map(Twist::LongArgument),
        1 => lengths().prop_map(Twist::LongVariable),
        1 => Just(Twist::NoArguments),
        3 => select(vec![By::Thread, By::Vfork, By::PosixSpawn, By::CloneVm]).prop_map(Twist::By),
        1 => Just(Twist::Int80),
        1 => select(vec![Then::Closed, Then::Deleted, Then::Renamed]).prop_map(Twist::Then),
        1 => Just(Twist::Memory),
    ];
    let which = || prop_oneof![3 => Just(0_usize), 1 => 1..NAMES.len()];
    let owners = || select(vec![(0, 0), (1000, 1000), (65534, 100), (0, 1000)]);
    let files = prop_oneof![
        1 => which().prop_map(Twist::Written),
        4 => (which(), owners(), select(MODES.to_vec()))
            .prop_map(|(file, owner, mode)| Twist::Owner(file, owner, mode)),
        2 => (which(), select(vec!["net_raw", "dac_override"]))
            .prop_map(|(file, name)| Twist::Capability(file, name)),
        1 => (1..NAMES.len()).prop_map(Twist::Hardlink),
    ];
    let formats = (select(FORMATS.to_vec()), path(), select(FLAGS.to_vec()));
    let option = || select(vec![None, None, Some("noexec"), Some("nosuid")]);
    let kind = prop_oneof![3 => Just((Kind::Tmpfs, false)), 2 => Just((Kind::Tmpfs, true)),
                           4 => Just((Kind::Overlay, false)), 1 => Just((Kind::Overlay, true))];
    let system = prop_oneof![
        4 => formats.prop_map(|(what, path, flags)| Twist::Format(what, path, flags)),
        3 => (kind, option(), which()).prop_map(|((kind, watched), option, file)| {
            Twist::Mounted { kind, option, watched, file }
        }),
        1 => option().prop_map(Twist::Bound),
        1 => select(vec!["libaudit.so.1 libcap.so.2\n", "/tmp/b\n", "libmissing.so:/tmp/c"])
            .prop_map(Twist::Preload),
        4 => deny().prop_map(Twist::Deny),
        3 => select(VARIABLES.to_vec()).prop_map(|(name, value)| Twist::Variable(name, value)),
    ];
    prop_oneof![3 => caller, 3 => call, 3 => files, 4 => system]
}

fn deny() -> impl Strategy<Value = Deny> {
    let nth = || 1..=9_usize;
    prop_oneof![
        3 => nth().prop_map(Deny::Event),
        2 => nth().prop_map(Deny::Always),
        1 => (nth(), select(vec!["EIO", "EBUSY", "ENOSPC", "ETXTBSY"]))
            .prop_map(|(nth, name)| Deny::Errno(nth, name.to_owned())),
    ]
}

/// Limits far from where a randomly placed stack would make a difference.
const LIMITS: [(&str, u64); 10] = [
    ("as", 0),
    ("as", 4096),
    ("as", 64 << 10),
    ("as", 1 << 20),
    ("as", 64 << 20),
    ("stack", 64 << 10),
    ("stack", 128 << 10),
    ("stack", 1 << 20),
    ("nofile", 3),
    ("nproc", 0),
];
const MODES: [u32; 10] = [
    0o755, 0o750, 0o700, 0o050, 0o005, 0o4755, 0o2755, 0o6755, 0o4711, 0o2745,
];
/// Rules of binfmt_misc, to the interpreter.
const FORMATS: [&str; 5] = [
    "M::EXETRAIL:",
    "M:1:XETRAIL:\\xff\\xff\\xff\\x00\\xff\\xff\\xff",
    "E::exe:",
    "M::\\x7fELF:",
    "M::#!:",
];
/// Flags of binfmt_misc; the last two are known from 7.3 on.
const FLAGS: [&str; 9] = ["", "P", "O", "C", "F", "PF", "POCF", "T", "L"];
const VARIABLES: [(&str, &str); 9] = [
    ("LD_PRELOAD", "libaudit.so.1"),
    ("LD_PRELOAD", "libmissing.so"),
    ("LD_PRELOAD", "/tmp/b"),
    (
        "LD_PRELOAD",
        "/lib/x86_64-linux-gnu/libaudit.so.1 libcap.so.2",
    ),
    ("LD_PRELOAD", "$ORIGIN/b"),
    ("LD_LIBRARY_PATH", "/tmp:/tmp/c"),
    ("LD_LIBRARY_PATH", "$ORIGIN::/usr/lib"),
    ("LD_LIBRARY_PATH", ""),
    ("LD_BIND_NOW", "1"),
];

impl Twist {
    /// Twists a case.
    pub fn apply(self, case: &mut Case) {
        match self {
            Twist::User(user, groups) => {
                case.exec.user = Some(user);
                case.exec.groups = groups;
            }
            Twist::Chroot => {
                case.exec.chroot = Some("/tmp".to_owned());
                // A path means the same in there.
                add(
                    case,
                    Made {
                        path: "/tmp/tmp".to_owned(),
                        symlink: Some(".".to_owned()),
                        ..Made::default()
                    },
                );
            }
            Twist::Directory(path) => case.exec.directory = Some(path.to_owned()),
            Twist::Namespace(one) => {
                case.exec.namespaces = vec![one];
                if one == Namespace::User {
                    need(case, "user-namespaces");
                }
            }
            Twist::Dropped(name) => case.exec.dropped = vec![name.to_owned()],
            Twist::NoNewPrivileges => case.exec.no_new_privileges = true,
            Twist::Filtered(errno) => case.exec.filtered = Some(errno.to_owned()),
            Twist::Limit(name, value) => drop(case.exec.limits.insert(name.to_owned(), value)),
            Twist::LongArgument(length) => case.exec.arguments.push("x".repeat(length)),
            Twist::LongVariable(length) => {
                drop(
                    case.exec
                        .environment
                        .insert("V".to_owned(), "x".repeat(length)),
                );
            }
            Twist::NoArguments => {
                case.exec.no_arguments = true;
                case.exec.arguments.clear();
            }
            Twist::By(by) => case.exec.by = by,
            Twist::Int80 => {
                case.exec.call = Way::Int80;
                need(case, "32-bit");
            }
            Twist::Written(file) => change(case, file, |made| {
                // What is no file cannot be written to.
                made.written = made.text.is_some() || made.program.is_some() || made.copy.is_some();
            }),
            Twist::Owner(file, owner, mode) => change(case, file, |made| {
                made.owner = Some(owner);
                made.mode = made.symlink.is_none().then_some(mode);
            }),
            Twist::Capability(file, name) => {
                need(case, "file-capabilities");
                change(case, file, |made| {
                    if made.symlink.is_none() && !made.directory {
                        made.capabilities = vec![name.to_owned()];
                    }
                });
            }
            Twist::Hardlink(file) => second_name(case, file),
            Twist::Then(then) => descriptor(case, |fd| fd.then = then),
            Twist::Memory => descriptor(case, |fd| fd.memory = true),
            Twist::Format(what, interpreter, flags) => {
                need(case, "binfmt-misc");
                let name = format!("twist{}", case.formats.len());
                // A colon ends the field.
                let rule = format!("{what}:{interpreter}:{flags}");
                case.formats.push(Registered { name, rule });
            }
            Twist::Mounted {
                kind,
                option,
                watched,
                file,
            } => mount(case, kind, option, watched, file),
            Twist::Bound(option) => bound(case, option),
            Twist::Preload(text) => add(
                case,
                Made {
                    path: PRELOAD.to_owned(),
                    text: Some(text.to_owned()),
                    mode: Some(0o644),
                    ..Made::default()
                },
            ),
            Twist::Deny(deny) => case.deny = Some(deny),
            Twist::Variable(name, value) => {
                drop(
                    case.exec
                        .environment
                        .insert(name.to_owned(), value.to_owned()),
                );
            }
        }
    }
}

pub(super) fn need(case: &mut Case, name: &str) {
    if !case.needs.iter().any(|known| known == name) {
        case.needs.push(name.to_owned());
    }
}

/// Adds a file where there is none yet.
pub(super) fn add(case: &mut Case, made: Made) {
    if case.files.iter().all(|other| other.path != made.path) {
        case.files.push(made);
    }
}

fn change(case: &mut Case, file: usize, change: impl FnOnce(&mut Made)) {
    let Some(made) = case.files.get_mut(file) else {
        return;
    };
    // What has two names is changed by the first.
    if made.hardlink.is_none() {
        change(made);
    }
}

fn descriptor(case: &mut Case, change: impl FnOnce(&mut Fd)) {
    if let Some(fd) = &mut case.exec.fd {
        change(fd);
    }
}

fn second_name(case: &mut Case, file: usize) {
    let Some([other, made]) = case.files.get_mut(file - 1..=file) else {
        return;
    };
    let is_mounted = |made: &Made| made.path.starts_with(MOUNTED);
    if !other.directory && other.hardlink.is_none() && !is_mounted(made) && !is_mounted(other) {
        *made = Made {
            path: made.path.clone(),
            hardlink: Some(other.path.clone()),
            ..Made::default()
        };
    }
}

/// Has a file lie on a mount, where a symlink leads to it.
fn mount(case: &mut Case, kind: Kind, option: Option<&str>, watched: bool, file: usize) {
    let is_hard = |made: &Made| made.hardlink.is_some();
    if !case.mounts.is_empty() || case.files.len() <= file || case.files.iter().any(is_hard) {
        return;
    }
    if kind == Kind::Overlay {
        need(case, "overlay");
    }
    case.mounts.push(CaseMount {
        kind,
        at: MOUNTED.to_owned(),
        from: (kind == Kind::Overlay).then(|| "/usr/bin".to_owned()),
        options: option.map(ToOwned::to_owned).into_iter().collect(),
    });
    if watched {
        case.watch = vec![MOUNTED.to_owned()];
    }
    let made = &mut case.files[file];
    let old = std::mem::replace(&mut made.path, format!("{MOUNTED}/program"));
    add(
        case,
        Made {
            path: old,
            symlink: Some("m/program".to_owned()),
            ..Made::default()
        },
    );
}

/// Has the program be reached by a second mount of its directory.
fn bound(case: &mut Case, option: Option<&str>) {
    if !case.mounts.is_empty() || case.exec.call == Way::Execveat {
        return;
    }
    case.mounts.push(CaseMount {
        kind: Kind::Bind,
        at: MOUNTED.to_owned(),
        from: Some("/tmp".to_owned()),
        options: option.map(ToOwned::to_owned).into_iter().collect(),
    });
    if let Some(name) = case.exec.path.strip_prefix("/tmp/") {
        case.exec.path = format!("{MOUNTED}/{name}");
    }
}

/// Takes back what does not go together.
pub fn settle(case: &mut Case) {
    circle::break_up(case);
    case.exec.no_arguments &= case.exec.arguments.is_empty();
    let limits = &case.exec.limits;
    let limited = limits.contains_key("as") || limits.contains_key("nproc");
    let long = |text: &String| text.len() > 60_000;
    let texts = || {
        case.exec
            .arguments
            .iter()
            .chain(case.exec.environment.values())
    };
    if case.exec.call == Way::Int80 && (limited || texts().any(long)) {
        // What is given must be where 32 bits reach: in a mapping of its own with little room.
        case.exec.call = Way::Execve;
    }
    if case.exec.call != Way::Execve || limited {
        // A thread or a child, or the stack for one, would not be there.
        case.exec.by = By::Itself;
    }
    if case.exec.chroot.is_some() {
        // It is refused to who has another root than its mount namespace (`create_user_ns`, EPERM).
        case.exec.namespaces.retain(|one| *one != Namespace::User);
    }
    if case.exec.call != Way::Execveat {
        case.exec.fd = None;
        case.exec.flags.clear();
    }
    // The event of the descriptor's own open is not to be denied: there would be no call.
    let opens = |fd: &Fd| !fd.flags.contains(&Open::Path) && !fd.memory;
    let first = case.exec.fd.as_ref().is_some_and(opens) || case.exec.call == Way::Fexecve;
    if let Some(Deny::Event(nth) | Deny::Always(nth) | Deny::Errno(nth, _)) = &mut case.deny {
        *nth += usize::from(first);
    }
    // A directory is no file to copy or to delete, and what the fixture has stays.
    if let Some(fd) = &mut case.exec.fd
        && !fd.path.starts_with("/tmp/")
    {
        fd.memory = false;
        if fd.then != Then::Closed {
            fd.then = Then::Kept;
        }
    }
}

//! From a path to a file, and what a script or a descriptor makes of it.

use super::{at, copy, directory, interpreted, link, made, of, text, with};
use crate::arch;
use crate::case::{Case, Open};

/// All of them.
pub fn cases() -> Vec<Case> {
    [slashes(), chains(), kept_links(), descriptors(), lines()].concat()
}

/// A slash at the end of a path, of a link, of both; of what is no directory.
fn slashes() -> Vec<Case> {
    let linked = |path: &str, target: &str| of(path, vec![copy("/tmp/a"), link("/tmp/k", target)]);
    let not_followed = |path: &str| {
        with(linked(path, "/tmp"), |case| {
            at(case, None, &["AT_SYMLINK_NOFOLLOW"]);
        })
    };
    vec![
        linked("/tmp/k/", "/tmp/a/"),
        linked("/tmp/k", "/tmp/a/"),
        linked("/tmp/k/", "/tmp/a"),
        linked("/tmp/k/", "/tmp/"),
        linked("/tmp/k/a", "/tmp/"),
        not_followed("/tmp/k/a"),
        not_followed("/tmp/k/"),
        not_followed("/tmp/k"),
        of("/dev/null/", Vec::new()),
        of("/dev/null/x", Vec::new()),
        of("/dev/null", Vec::new()),
        of("/tmp/a/../a", vec![copy("/tmp/a")]),
        of("/tmp/a/.", vec![copy("/tmp/a")]),
        of("/../tmp/./../tmp/a", vec![copy("/tmp/a")]),
    ]
}

/// Links that lead to links, as many as are followed and one more.
fn chains() -> Vec<Case> {
    let chain = |count: usize| {
        let links = (1..=count).map(|at| match at {
            1 => link("/tmp/k1", "/tmp/a"),
            _ => link(&format!("/tmp/k{at}"), &format!("k{}", at - 1)),
        });
        let files = [copy("/tmp/a")].into_iter().chain(links);
        of(&format!("/tmp/k{count}"), files.collect())
    };
    [39, 40, 41].map(chain).to_vec()
}

/// Somebody's link in somebody's directory, which is followed or is not (`fs.protected_symlinks`).
fn kept_links() -> Vec<Case> {
    let linked = |protects: &str, directory_of: (u32, u32), owner: u32, user: Option<u32>| {
        let (owner_of_directory, mode) = directory_of;
        let link = |path: &str, target: &str| {
            made(path, |made| {
                made.symlink = Some(target.to_owned());
                made.owner = Some((owner, owner));
            })
        };
        let files = vec![
            copy("/tmp/a"),
            directory("/tmp/e", (owner_of_directory, owner_of_directory), mode),
            link("/tmp/e/k", "/tmp/a"),
            link("/tmp/e/up", "/tmp"),
        ];
        with(of("/tmp/e/k", files), |case| {
            case.exec.user = user;
            let name = "fs.protected_symlinks".to_owned();
            case.sysctl.insert(name, protects.to_owned());
        })
    };
    let middle = with(linked("1", (0, 0o1777), 1000, None), |case| {
        case.exec.path = "/tmp/e/up/a".to_owned();
    });
    vec![
        linked("1", (0, 0o1777), 1000, None),
        linked("0", (0, 0o1777), 1000, None),
        linked("1", (0, 0o777), 1000, None),
        linked("1", (0, 0o1755), 1000, None),
        linked("1", (0, 0o1777), 1000, Some(1000)),
        linked("1", (0, 0o1777), 0, Some(1000)),
        linked("1", (1000, 0o1777), 65534, None),
        linked("1", (1000, 0o1777), 1000, None),
        middle,
    ]
}

/// A path beside a descriptor; a file whose descriptor is closed by the exec, and which others are to open.
fn descriptors() -> Vec<Case> {
    // The loader opens what it is told, and so shows the name that the kernel has made.
    let script = || text("/tmp/a", &format!("#!{}\n", arch::LOADER));
    let beside = |path: &str, place: &str, open: &[Open], flags: &[&str]| {
        with(of(path, vec![script()]), |case| {
            at(case, Some((place, open)), flags);
        })
    };
    let misc = |flags: &str| {
        let case = of("", vec![text("/tmp/a", "EXETRAIL\n")]);
        with(case, |case| {
            let open = Open::Cloexec;
            at(case, Some(("/tmp/a", &[open])), &["AT_EMPTY_PATH"]);
            interpreted(case, "/usr/bin/true", flags);
        })
    };
    vec![
        beside("/tmp/a", "/tmp", &[], &[]),
        beside("/tmp/a", "/tmp", &[Open::Cloexec], &[]),
        beside("a", "/tmp", &[Open::Cloexec], &[]),
        beside("a", "/tmp", &[], &[]),
        beside("", "/tmp/a", &[Open::Cloexec], &["AT_EMPTY_PATH"]),
        beside("", "/tmp/a", &[], &["AT_EMPTY_PATH"]),
        misc(""),
        misc("O"),
    ]
}

/// Lines of a script whose interpreter opens its argument.
fn lines() -> Vec<Case> {
    let lines = [
        " /tmp/b",
        "\t /tmp/b",
        " /tmp/b \t",
        " /tmp/b  one \t ",
        "",
        " \t",
    ];
    let line = |line: &str| {
        let script = text("/tmp/a", &format!("#!{}{line}\n:\n", arch::LOADER));
        of("/tmp/a", vec![script, copy("/tmp/b")])
    };
    // An entry of binfmt_misc takes the first argument away, or keeps it: the loader is told a program by the next.
    let keeps = |flags: &str| {
        let files = vec![
            text("/tmp/--argv0", "EXETRAIL\n"),
            copy("/tmp/b"),
            copy("/tmp/c"),
        ];
        with(of("--argv0", files), |case| {
            case.exec.directory = Some("/tmp".to_owned());
            case.exec.arguments = ["/tmp/b", "/tmp/c"].map(ToOwned::to_owned).to_vec();
            interpreted(case, arch::LOADER, flags);
        })
    };
    let mut all: Vec<_> = lines.into_iter().map(line).collect();
    all.extend(["", "P"].map(keeps));
    all
}

//! From the arguments of `exetrail try` to a case.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::Args;
use super::make::Wanted;
use crate::case::{Case, CaseMount, Deny, Fd, Kind, MOUNT_OPTIONS, Open, Registered, Then, Way};
use crate::root::search;
use crate::trail::printable;

/// The descriptor of `--fd`.
const FD: i32 = 5;

/// What `--call` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CallOption {
    /// execve(2) of the path
    Execve,
    /// fexecve(3): open it, execute the descriptor
    Fexecve,
    /// execveat(2)
    Execveat,
}

/// The case that the arguments ask for, and its program where that is one of this host.
pub(super) fn asked(args: &Args) -> Result<(Case, Wanted)> {
    let here = std::env::current_dir().context("failed to find the working directory")?;
    let (program, arguments) = args.command.split_first().context("there is no program")?;
    let mut case = Case {
        summary: printable(args.command.join(" ").as_bytes()),
        ..Case::default()
    };
    case.exec.arguments = arguments.to_vec();
    case.deadline = args.deadline;
    case.exec.directory.clone_from(&args.cwd);
    if let Some(directory) = args.cwd.as_deref() {
        ensure!(
            directory.starts_with('/'),
            "--cwd: {directory:?} is no absolute path"
        );
    }
    let mut wanted = Wanted::new();
    match (&args.root, &args.fd) {
        (None, None) => {
            let found = find(program)?;
            if !program.starts_with('/') && program.contains('/') && args.cwd.is_none() {
                case.exec.directory = Some(text(&here, "the working directory")?);
            }
            case.exec.path = match program.contains('/') {
                true => program.clone(),
                false => text(&found, "the program")?,
            };
            wanted.push((found, "the program"));
        }
        _ => case.exec.path.clone_from(program),
    }
    if case.exec.path != *program {
        case.exec.argv0 = Some(program.clone());
    }
    call(args, &mut case)?;
    surroundings(args, &mut case)?;
    Ok((case, wanted))
}

/// The option that says what a case has at this key.
pub(super) fn option(key: &str) -> &str {
    let options = [
        ("exec.directory", "--cwd"),
        ("exec.environment", "--env"),
        ("exec.user", "--as"),
        ("exec.group", "--as"),
        ("exec.fd", "--fd"),
        ("exec.", "the program"),
        ("binfmt", "--binfmt"),
        ("mount", "--mount"),
        ("watch", "--watch"),
        ("deny", "--deny"),
        ("deadline", "--deadline"),
    ];
    let found = options.iter().find(|(begin, _)| key.starts_with(begin));
    found.map_or(key, |(_, option)| option)
}

/// A program as a shell finds it, as an absolute path.
fn find(program: &str) -> Result<PathBuf> {
    if program.contains('/') {
        let path = std::path::absolute(program)?;
        let found = path.metadata().map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("there is no {program}"),
            _ => anyhow!("{program}: {error}"),
        })?;
        ensure!(!found.is_dir(), "{program} is a directory");
        ensure!(found.is_file(), "{program} is no regular file");
        return Ok(path);
    }
    ensure!(
        !program.is_empty(),
        "there is no program: name one after --"
    );
    search(program).with_context(|| match Path::new(program).exists() {
        true => format!("there is no {program} on PATH; ./{program} is one that is here"),
        false => format!("there is no {program} on PATH, nor here"),
    })
}

/// A path as text, which all names of a guest are.
pub(super) fn text(path: &Path, whose: &str) -> Result<String> {
    let text = path.to_str();
    Ok(text
        .with_context(|| {
            format!("{whose}: {path:?} is no UTF-8, which all names of a guest are: give it another name here")
        })?
        .to_owned())
}

fn call(args: &Args, case: &mut Case) -> Result<()> {
    let usual = match args.fd {
        Some(_) => CallOption::Execveat,
        None => CallOption::Execve,
    };
    case.exec.call = match args.call.unwrap_or(usual) {
        CallOption::Execve => Way::Execve,
        CallOption::Fexecve => Way::Fexecve,
        CallOption::Execveat => Way::Execveat,
    };
    if let Some(path) = &args.fd {
        ensure!(
            case.exec.call == Way::Execveat,
            "--fd is for --call execveat: the other calls take no descriptor"
        );
        let path = match args.root.is_some() {
            true => path.clone(),
            false => text(&std::path::absolute(path)?, "--fd")?,
        };
        case.exec.fd = Some(Fd {
            number: FD,
            path,
            flags: vec![Open::Path, Open::Cloexec],
            memory: false,
            then: Then::Kept,
        });
        if case.exec.path.is_empty() {
            case.exec.flags = vec!["AT_EMPTY_PATH".to_owned()];
        }
    }
    if let Some(who) = &args.who {
        let (user, group) = who.split_once(':').unwrap_or((who, who));
        let number = |word: &str| {
            let number = word.parse().ok();
            number
                .with_context(|| format!("--as {who:?}: {word:?} is no number of a user or group"))
        };
        (case.exec.user, case.exec.group) = (Some(number(user)?), Some(number(group)?));
    }
    Ok(())
}

fn surroundings(args: &Args, case: &mut Case) -> Result<()> {
    for variable in &args.env {
        let (name, value) = variable
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .with_context(|| format!("--env {variable:?} is no NAME=VALUE"))?;
        case.exec
            .environment
            .insert(name.to_owned(), value.to_owned());
    }
    if !args.preload.is_empty() {
        ensure!(
            !case.exec.environment.contains_key("LD_PRELOAD"),
            "--preload sets LD_PRELOAD, and so does --env: name all libraries by --preload"
        );
        let paths = args.preload.iter().map(|path| {
            ensure!(
                path.is_file(),
                "there is no library {} to preload",
                path.display()
            );
            if !is_elf(path)? {
                tell!(
                    "warning: --preload {} is no ELF file: a loader says so, and goes on without it",
                    path.display()
                );
            }
            text(&std::path::absolute(path)?, "--preload")
        });
        let list = paths.collect::<Result<Vec<_>>>()?.join(" ");
        case.exec.environment.insert("LD_PRELOAD".to_owned(), list);
    }
    for rule in &args.binfmt {
        case.formats.push(format(rule)?);
    }
    for word in &args.mount {
        let one = mount(word, || place(args, case))?;
        let is_overlay = one.kind == Kind::Overlay;
        case.needs.extend(is_overlay.then(|| "overlay".to_owned()));
        case.mounts.push(one);
    }
    if !case.formats.is_empty() {
        case.needs.push("binfmt-misc".to_owned());
    }
    case.needs.dedup();
    case.watch.clone_from(&args.watch);
    case.deny = args.deny.as_deref().map(denied).transpose()?;
    Ok(())
}

/// What is denied: `each`, or an event by the words with which it begins, `open PATH` or `open:PATH`.
fn denied(words: &str) -> Result<Deny> {
    ensure!(
        !words.is_empty(),
        "--deny has no words: those with which an event begins, or each"
    );
    if words == "each" {
        return Ok(Deny::Each);
    }
    let words = match words.split_once(':') {
        Some((step @ ("open" | "execute"), path)) => format!("{step} {path}"),
        _ => words.to_owned(),
    };
    if let Some((_, path)) = words.split_once(' ') {
        ensure!(
            path.is_empty() || path.starts_with('/'),
            "--deny {words:?} begins no event: paths in a guest are absolute"
        );
    }
    Ok(Deny::Path(words))
}

fn is_elf(path: &Path) -> Result<bool> {
    let mut head = Vec::new();
    let file = std::fs::File::open(path);
    let file = file.with_context(|| format!("failed to read {}", path.display()))?;
    file.take(4).read_to_end(&mut head)?;
    Ok(head == b"\x7fELF")
}

/// The directory of the program in the guest.
fn place(args: &Args, case: &Case) -> Result<String> {
    let path = Path::new(&case.exec.path);
    let path = match (path.is_absolute(), &case.exec.directory) {
        (true, _) => path.to_owned(),
        (false, Some(directory)) => std::path::absolute(Path::new(directory).join(path))?,
        (false, None) => Path::new("/").join(path),
    };
    let parent = path.parent().filter(|parent| *parent != Path::new("/"));
    match parent {
        Some(parent) => text(parent, "--mount"),
        None => bail!(
            "--mount {}: say where, the program is in /",
            args.mount.join(" ")
        ),
    }
}

/// `:NAME:M::MAGIC::/bin/interpreter:F`, as the kernel has it, with the colon alone between its parts.
fn format(rule: &str) -> Result<Registered> {
    let wrong =
        || format!("--binfmt {rule:?} is no entry: :NAME:M:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS");
    let (name, rest) = rule
        .strip_prefix(':')
        .and_then(|rest| rest.split_once(':'))
        .with_context(wrong)?;
    ensure!(rest.split(':').count() == 6, wrong());
    Ok(Registered {
        name: name.to_owned(),
        rule: rest.to_owned(),
    })
}

/// A mount where its word says, or else in that place.
fn mount(whole: &str, place: impl FnOnce() -> Result<String>) -> Result<CaseMount> {
    let mut words = whole.split(':');
    let kind = match words.next() {
        Some("overlay") => Kind::Overlay,
        Some("bind") => Kind::Bind,
        _ => bail!("--mount {whole:?}: there are overlay and bind"),
    };
    let mut at = None;
    let mut options = Vec::new();
    for word in words {
        match word.starts_with('/') {
            true => {
                ensure!(
                    at.is_none(),
                    "--mount {whole:?} names two places: a directory is mounted where it is"
                );
                at = Some(word.to_owned());
            }
            false => {
                ensure!(
                    MOUNT_OPTIONS.contains(&word),
                    "--mount: there is no option {word:?}: {}",
                    MOUNT_OPTIONS.join(", ")
                );
                options.push(word.to_owned());
            }
        }
    }
    let at = at.map_or_else(place, Ok)?;
    Ok(CaseMount {
        kind,
        from: Some(at.clone()),
        at,
        options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_binfmt_misc_is_read_as_it_is_written_to_register() {
        let found = format(":x:M::MAGIC::/bin/int:F").unwrap();
        assert_eq!(
            (found.name.as_str(), found.rule.as_str()),
            ("x", "M::MAGIC::/bin/int:F")
        );
        assert!(format("x:M::MAGIC::/bin/int:F").is_err());
        assert!(
            format(":x:M::MAGIC")
                .unwrap_err()
                .to_string()
                .contains("is no entry")
        );
    }

    #[test]
    fn what_cannot_be_is_told_of_its_option() {
        assert_eq!(option("exec.directory"), "--cwd");
        assert_eq!(option("binfmt.0.rule"), "--binfmt");
        assert_eq!(option("exec.arguments"), "the program");
        assert_eq!(option("needs.0"), "needs.0");
    }

    #[test]
    fn a_mount_is_at_the_programs_directory_unless_another_is_given() {
        let in_srv = || Ok("/srv".to_owned());
        let found = mount("overlay:noexec", in_srv).unwrap();
        assert_eq!(
            (found.at.as_str(), found.options),
            ("/srv", vec!["noexec".to_owned()])
        );
        let nowhere = || bail!("the program is in /");
        assert_eq!(mount("bind:/opt", nowhere).unwrap().at, "/opt");
        assert!(mount("bind", nowhere).is_err() && mount("squashfs", in_srv).is_err());
        let error = mount("bind:/opt:/srv", in_srv).unwrap_err().to_string();
        assert!(error.contains("names two places"), "{error}");
    }

    #[test]
    fn what_is_denied_keeps_the_colons_of_its_path() {
        for (words, meant) in [
            ("open:/srv/a:b", "open /srv/a:b"),
            ("open /srv/a:b", "open /srv/a:b"),
            ("execute", "execute"),
        ] {
            assert_eq!(denied(words).unwrap(), Deny::Path(meant.to_owned()));
        }
        assert_eq!(denied("each").unwrap(), Deny::Each);
        assert!(denied("").is_err() && denied("open passwd").is_err());
    }
}

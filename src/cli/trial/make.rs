//! From the arguments of `exetrail try` to a case and the root that it is played in.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};

use super::Args;
use crate::case::{Case, CaseMount, Deny, Fd, Kind, MOUNT_OPTIONS, Open, Registered, Then, Way};
use crate::project::Project;
use crate::root::{Added, Built, Closure, Foreign, Root, search};
use crate::trail::printable;
use crate::vm::tree::{Entry, Tree};

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

/// A case that is ready to be played.
#[derive(Debug)]
pub struct Ready {
    /// The case.
    pub case: Case,
    /// The root.
    pub archive: Arc<[u8]>,
    /// What is in it.
    pub tree: Tree,
}

/// Makes the case, and the root with everything that goes along.
///
/// # Errors
///
/// What the user names is not there, is for another machine, or says what cannot be.
pub fn make(args: &Args, project: &Project) -> Result<Ready> {
    let here = std::env::current_dir().context("failed to find the working directory")?;
    let (program, arguments) = args.command.split_first().context("there is no program")?;
    let mut case = Case {
        summary: printable(args.command.join(" ").as_bytes()),
        ..Case::default()
    };
    case.exec.arguments = arguments.to_vec();
    case.deadline = args.deadline;
    case.exec.directory.clone_from(&args.cwd);
    let mut wanted = Vec::new();
    match (&args.root, &args.fd) {
        (None, None) => {
            let found = find(program)?;
            if !program.starts_with('/') && program.contains('/') && args.cwd.is_none() {
                case.exec.directory = Some(text(&here)?);
            }
            case.exec.path = match program.contains('/') {
                true => program.clone(),
                false => text(&found)?,
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
    let foreign = match args.binfmt.is_empty() {
        true => Foreign::Refused,
        false => Foreign::Taken,
    };
    let mut root = match &args.root {
        Some(path) => Root::of_image(path)?,
        None => Root::default(),
    };
    if args.root.is_none() {
        let fd = args.fd.as_ref().map(std::path::absolute).transpose()?;
        match fd {
            Some(path) if path.is_file() => wanted.push((path, "the descriptor")),
            Some(path) if path.join(program).is_file() => {
                wanted.push((path.join(program), "the program, from the descriptor"));
            }
            _ => {}
        }
        let interpreters = case
            .formats
            .iter()
            .filter_map(|format| format.rule.split(':').nth(4));
        let interpreters = interpreters
            .map(PathBuf::from)
            .filter(|path| path.is_file());
        wanted.extend(interpreters.map(|path| (path, "interpreter of --binfmt")));
        if let Some(directory) = &case.exec.directory {
            root.directory(directory);
        }
    }
    let libraries = args
        .preload
        .iter()
        .map(|path| Ok((std::path::absolute(path)?, "--preload")));
    wanted.extend(libraries.collect::<Result<Vec<_>>>()?);
    // A program at its own place takes along what it needs.
    let programs = |added: &&Added| added.own && added.host.is_file() && args.root.is_none();
    let (programs, others): (Vec<_>, Vec<_>) = args.add.iter().partition(programs);
    wanted.extend(
        programs
            .iter()
            .map(|added| (PathBuf::from(&added.guest), "--add")),
    );
    along(&mut root, foreign, &wanted, args)?;
    // After those, whose symlinks of directories they may lead through.
    others.into_iter().try_for_each(|added| root.add(added))?;
    let Built { archive, tree } = root.build(&project.cache)?;
    opened(&case, &tree)?;
    if let (Some(directory), None, None) = (&args.cwd, &args.root, &args.fd) {
        reached(program, directory, &case, &tree)?;
    }
    if args.root.is_some() {
        inside(&case, &tree)?;
    }
    let known: Vec<_> = crate::need::NAMED.iter().map(|(name, _)| *name).collect();
    if let Err(problem) = case.check(&known) {
        bail!("{}: {}", option(&problem.at), problem.what);
    }
    Ok(Ready {
        case,
        archive,
        tree,
    })
}

/// The option that says what a case has at this key.
fn option(key: &str) -> &str {
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

fn along(root: &mut Root, foreign: Foreign, wanted: &[(PathBuf, &str)], args: &Args) -> Result<()> {
    let mut closure = Closure::new(root, foreign);
    for (path, why) in wanted {
        closure.add(path, why)?;
    }
    if args.verbose {
        for (path, why) in &closure.taken {
            tell!("{}: {why}", path.display());
        }
    }
    for missing in &closure.missing {
        let by = missing.by.display();
        tell!(
            "warning: {by} needs {}, which is not here and does not go along",
            missing.what
        );
    }
    Ok(())
}

/// A program as a shell finds it, as an absolute path.
fn find(program: &str) -> Result<PathBuf> {
    if program.contains('/') {
        let path = std::path::absolute(program)?;
        ensure!(path.exists(), "there is no {program}");
        ensure!(!path.is_dir(), "{program} is a directory");
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

fn text(path: &Path) -> Result<String> {
    let text = path.to_str();
    Ok(text
        .with_context(|| format!("{path:?} is no UTF-8"))?
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
            false => text(&std::path::absolute(path)?)?,
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
            text(&std::path::absolute(path)?)
        });
        let list = paths.collect::<Result<Vec<_>>>()?.join(" ");
        case.exec.environment.insert("LD_PRELOAD".to_owned(), list);
    }
    for rule in &args.binfmt {
        case.formats.push(format(rule)?);
    }
    for word in &args.mount {
        case.mounts.push(mount(word, &place(args, case)?)?);
        case.needs.extend(
            (case.mounts.last().map(|one| one.kind) == Some(Kind::Overlay))
                .then(|| "overlay".to_owned()),
        );
    }
    if !case.formats.is_empty() {
        case.needs.push("binfmt-misc".to_owned());
    }
    case.needs.dedup();
    case.watch.clone_from(&args.watch);
    ensure!(
        args.deny.as_deref() != Some(""),
        "--deny has no words: those with which an event begins, or each"
    );
    case.deny = args.deny.as_deref().map(|word| match word {
        "each" => Deny::Each,
        words => Deny::Path(words.replacen(':', " ", 1)),
    });
    Ok(())
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
        Some(parent) => text(parent),
        None => bail!(
            "--mount {}: say where, the program is in /",
            args.mount.join(" ")
        ),
    }
}

/// `:NAME:M::MAGIC::/bin/interpreter:F`, with any first character for the colon in it.
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

fn mount(word: &str, place: &str) -> Result<CaseMount> {
    let mut words = word.split(':');
    let kind = match words.next() {
        Some("overlay") => Kind::Overlay,
        Some("bind") => Kind::Bind,
        _ => bail!("--mount {word:?}: there are overlay and bind"),
    };
    let mut one = CaseMount {
        kind,
        at: place.to_owned(),
        from: None,
        options: Vec::new(),
    };
    for word in words {
        match word.starts_with('/') {
            true => word.clone_into(&mut one.at),
            false => {
                ensure!(
                    MOUNT_OPTIONS.contains(&word),
                    "--mount: there is no option {word:?}: {}",
                    MOUNT_OPTIONS.join(", ")
                );
                one.options.push(word.to_owned());
            }
        }
    }
    one.from = Some(one.at.clone());
    Ok(one)
}

/// Looks, before anything boots, whether the guest has what `--fd` opens.
fn opened(case: &Case, tree: &Tree) -> Result<()> {
    let Some(Fd { path, .. }) = &case.exec.fd else {
        return Ok(());
    };
    // What the kernel has there is not the root's.
    let kernels = ["/dev", "/proc", "/sys"]
        .iter()
        .any(|own| path.starts_with(own));
    ensure!(
        kernels || tree.resolve(path).is_some(),
        "the guest has no {path}, which --fd opens"
    );
    Ok(())
}

/// Looks, before anything boots, whether a program that is named from the working directory is there.
fn reached(program: &str, directory: &str, case: &Case, tree: &Tree) -> Result<()> {
    let path = Path::new(directory).join(case.exec.path.trim_start_matches("./"));
    let found = path.to_str().and_then(|path| tree.resolve(path));
    ensure!(
        found.is_some(),
        "{program} is a path from --cwd {directory}, and the guest has no {}: name the program by its whole path",
        path.display()
    );
    Ok(())
}

/// Looks, before anything boots, whether a root has the program and its loader.
fn inside(case: &Case, tree: &Tree) -> Result<()> {
    if case.exec.fd.is_some() {
        return Ok(());
    }
    let path = match (case.exec.path.starts_with('/'), &case.exec.directory) {
        (true, _) => case.exec.path.clone(),
        (false, directory) => {
            ensure!(
                case.exec.path.contains('/'),
                "{} is looked for nowhere: name it by its path in the root",
                case.exec.path
            );
            format!("{}/{}", directory.as_deref().unwrap_or("/"), case.exec.path)
        }
    };
    let found = tree.resolve(&path).and_then(|place| tree.get(&place));
    let Some(Entry::File { bytes, .. }) = found else {
        bail!("the root has no file {path}");
    };
    let needed = match bytes.strip_prefix(b"#!") {
        Some(line) => {
            let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            line.split_ascii_whitespace().next().map(ToOwned::to_owned)
        }
        None => goblin::elf::Elf::parse(bytes)
            .ok()
            .and_then(|elf| elf.interpreter.map(ToOwned::to_owned)),
    };
    if let Some(needed) = needed
        && tree.resolve(&needed).is_none()
    {
        tell!("warning: {path} needs the interpreter {needed}, which the root does not have");
    }
    Ok(())
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
    fn a_descriptor_of_what_the_guest_does_not_have_is_an_error() {
        let of = |path: &str| {
            let mut case = Case::default();
            case.exec.fd = Some(Fd {
                number: FD,
                path: path.to_owned(),
                flags: Vec::new(),
                memory: false,
                then: Then::Kept,
            });
            opened(&case, &Tree::default())
        };
        assert!(of("/proc/self/exe").is_ok());
        let error = of("/srv/x").unwrap_err().to_string();
        assert_eq!(error, "the guest has no /srv/x, which --fd opens");
    }

    #[test]
    fn a_program_that_the_working_directory_does_not_have_is_an_error() {
        let of = |path: &str| {
            let mut case = Case::default();
            path.clone_into(&mut case.exec.path);
            reached(path, "/", &case, &Tree::default())
        };
        assert!(of("/").is_ok());
        let error = of("./agent").unwrap_err().to_string();
        assert!(
            error.starts_with("./agent is a path from --cwd /, and the guest has no /agent:"),
            "{error}"
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
        let found = mount("overlay:noexec", "/srv").unwrap();
        assert_eq!(
            (found.at.as_str(), found.options),
            ("/srv", vec!["noexec".to_owned()])
        );
        assert_eq!(mount("bind:/opt", "/srv").unwrap().at, "/opt");
        assert!(mount("squashfs", "/srv").is_err());
    }
}

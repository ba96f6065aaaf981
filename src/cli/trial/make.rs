//! The root that a case of `exetrail try` is played in, with everything that goes along.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::Args;
use super::asked::{asked, option, text};
use super::reach::{self, Found};
use crate::case::Case;
use crate::project::Project;
use crate::root::{Added, Built, Caller, Closure, Foreign, Host, Root};
use crate::vm::tree::Tree;

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
    let (case, mut wanted) = asked(args)?;
    let caller = Caller {
        directory: case.exec.directory.clone(),
        environment: case.exec.environment.clone(),
    };
    let foreign = match args.binfmt.is_empty() {
        true => Foreign::Refused,
        false => Foreign::Taken,
    };
    let mut root = match &args.root {
        Some(path) => Root::of_image(path, foreign)?,
        None => Root::default(),
    };
    let libraries = preloaded(args)?;
    let along = match args.root {
        Some(_) => {
            let added = libraries.iter().chain(&args.add);
            added.into_iter().try_for_each(|added| root.add(added))?;
            None
        }
        None => {
            let names = libraries.iter();
            wanted.extend(names.map(|added| (PathBuf::from(&added.guest), "--preload")));
            wanted.extend(beside(args, &case)?);
            if let Some(directory) = &case.exec.directory {
                root.directory(directory);
            }
            Some(along(&mut root, args, (&caller, foreign), wanted)?)
        }
    };
    let built = root.build(&project.cache)?;
    built.warn();
    let Built { archive, tree, .. } = built;
    reach::opened(&case, &tree)?;
    reach::watched(&case, &tree)?;
    let found = match along {
        Some(found) => {
            reach::reached(args, &case, &tree)?;
            Some(found)
        }
        None => reach::inside(&case, &tree, &caller, foreign)?,
    };
    if let Some(found) = found {
        found.warn(&case, &tree);
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

/// Files that go along, and why.
pub(super) type Wanted = Vec<(PathBuf, &'static str)>;

/// The libraries of `--preload`, at their own places.
fn preloaded(args: &Args) -> Result<Vec<Added>> {
    let own = |path: &PathBuf| {
        let guest = std::path::absolute(path)?;
        Ok(Added {
            host: guest.canonicalize()?,
            guest: text(&guest, "--preload")?,
            own: true,
        })
    };
    args.preload.iter().map(own).collect()
}

/// What goes along beside the program: what a descriptor is opened on, and interpreters of formats.
fn beside(args: &Args, case: &Case) -> Result<Wanted> {
    let mut wanted = Wanted::new();
    let fd = args.fd.as_ref().map(std::path::absolute).transpose()?;
    match fd {
        Some(path) if path.is_file() => wanted.push((path, "the descriptor")),
        Some(path) if path.join(&case.exec.path).is_file() => {
            let program = path.join(&case.exec.path);
            wanted.push((program, "the program, from the descriptor"));
        }
        _ => {}
    }
    let rules = case.formats.iter();
    for interpreter in rules.filter_map(|format| format.rule.split(':').nth(4)) {
        let path = PathBuf::from(interpreter);
        let is_added = |added: &Added| path.starts_with(&added.guest);
        if path.is_file() {
            wanted.push((path, "interpreter of --binfmt"));
        } else if !args.add.iter().any(is_added) {
            tell!("warning: --binfmt needs {interpreter}, which is not here");
        }
    }
    Ok(wanted)
}

/// Puts what is wanted into a root, with what it needs, and what is added.
fn along(
    root: &mut Root,
    args: &Args,
    (caller, foreign): (&Caller, Foreign),
    mut wanted: Wanted,
) -> Result<Found> {
    // A program at its own place takes along what it needs.
    let programs = |added: &&Added| added.own && added.host.is_file();
    let (programs, others): (Vec<_>, Vec<_>) = args.add.iter().partition(programs);
    let programs = programs.iter();
    wanted.extend(programs.map(|added| (PathBuf::from(&added.guest), "--add")));
    let mut host = Host {
        root,
        added: &others,
    };
    let mut closure = Closure::new(&mut host, caller, foreign);
    for (path, why) in &wanted {
        closure.add(path, why)?;
    }
    if args.verbose {
        for (path, why) in &closure.taken {
            tell!("{}: {why}", path.display());
        }
    }
    let found = Found::of(closure);
    // After those, whose symlinks of directories they may lead through.
    others.into_iter().try_for_each(|added| root.add(added))?;
    Ok(found)
}

//! From a path to what is there: path_resolution(7), `link_path_walk` in fs/namei.c.

use super::{Caller, File, Files, Node, Owned};

/// How many symbolic links the kernel follows: `MAXSYMLINKS`.
const LINKS: usize = 40;
/// Longest path, without its NUL.
const PATH: usize = 4095;
/// Longest part of a path.
const NAME: usize = 255;

/// What stands at the end of a path.
pub enum Walked {
    /// A regular file, with the last part of its own path.
    File(Box<File>),
    /// A directory.
    Directory(Owned),
    /// A link that was not to be followed.
    Link,
    /// Anything else.
    Other,
}

/// Follows a path from the caller's root or from `base`.
///
/// # Errors
///
/// The errno, by name.
pub fn walk(
    files: &dyn Files,
    caller: &Caller,
    base: &str,
    path: &str,
    follow: bool,
) -> Result<Walked, &'static str> {
    if path.len() > PATH {
        return Err("ENAMETOOLONG");
    }
    let mut place: Vec<String> = match path.starts_with('/') {
        true => Vec::new(),
        false => parts(base).collect(),
    };
    let mut rest: Vec<String> = parts(path).collect();
    rest.reverse();
    // A path that ends in a slash is a directory's, and a link at its end is followed.
    let mut directory = path.ends_with('/');
    let mut links = 0;
    let mut end = None;
    while let Some(part) = rest.pop() {
        let here = files.node(&join(&place)).ok_or("ENOENT")?;
        let Node::Directory(owned) = here else {
            return Err("ENOTDIR");
        };
        if !owned.may_execute(caller.uid, caller.gid, true) {
            return Err("EACCES");
        }
        if part.len() > NAME {
            return Err("ENAMETOOLONG");
        }
        match part.as_str() {
            "." => continue,
            ".." => {
                place.pop();
                continue;
            }
            _ => place.push(part),
        }
        match files.node(&join(&place)).ok_or("ENOENT")? {
            Node::Link(target) if follow || directory || !rest.is_empty() => {
                links += 1;
                if links > LINKS {
                    return Err("ELOOP");
                }
                place.pop();
                // So is what a link at the end leads to, by its own last slash.
                directory |= rest.is_empty() && target.ends_with('/');
                if target.starts_with('/') {
                    place.clear();
                }
                let mut parts: Vec<_> = parts(&target).collect();
                parts.reverse();
                rest.extend(parts);
            }
            Node::Link(_) => end = Some(Walked::Link),
            Node::File(file) if rest.is_empty() && !directory => end = Some(Walked::File(file)),
            Node::Other if rest.is_empty() && !directory => end = Some(Walked::Other),
            Node::Directory(_) => {}
            Node::File(_) | Node::Other => return Err("ENOTDIR"),
        }
    }
    match (end, files.node(&join(&place)).ok_or("ENOENT")?) {
        (Some(found), _) => Ok(found),
        (None, Node::Directory(owned)) => Ok(Walked::Directory(owned)),
        // The base itself, for a path without any part.
        (None, Node::File(file)) => Ok(Walked::File(file)),
        (None, _) => Ok(Walked::Other),
    }
}

/// What a path leads to, where the caller may open it to read it.
#[must_use]
pub fn readable(files: &dyn Files, caller: &Caller, path: &str) -> Option<Node> {
    match walk(files, caller, &caller.cwd, path, true).ok()? {
        Walked::File(file) => {
            let may = file.owned.may_read(caller.uid, caller.gid);
            may.then_some(Node::File(file))
        }
        Walked::Directory(owned) => {
            let may = owned.may_read(caller.uid, caller.gid);
            may.then_some(Node::Directory(owned))
        }
        Walked::Link | Walked::Other => Some(Node::Other),
    }
}

fn parts(path: &str) -> impl Iterator<Item = String> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(ToOwned::to_owned)
}

fn join(parts: &[String]) -> String {
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Sample, call};

    fn found(sample: &Sample, path: &str, follow: bool) -> String {
        match walk(&sample.0, &call("/").caller, "/", path, follow) {
            Ok(Walked::File(file)) => file.name,
            Ok(Walked::Directory(_)) => "a directory".to_owned(),
            Ok(Walked::Link) => "a link".to_owned(),
            Ok(Walked::Other) => "something".to_owned(),
            Err(errno) => errno.to_owned(),
        }
    }

    fn sample() -> Sample {
        let sample = Sample::new().directory("/d").file("/d/f", b"");
        let sample = sample.link("/l", "d/f").link("/loop", "/loop");
        sample.link("/up", "/d/../d")
    }

    #[test]
    fn a_relative_link_begins_in_its_own_directory() {
        assert_eq!(found(&sample(), "/l", true), "/d/f");
    }

    #[test]
    fn a_link_in_the_middle_is_always_followed() {
        assert_eq!(found(&sample(), "up/./f", false), "/d/f");
        assert_eq!(found(&sample(), "/l", false), "a link");
    }

    #[test]
    fn a_slash_at_the_end_wants_a_directory() {
        assert_eq!(found(&sample(), "/d/f/", true), "ENOTDIR");
        assert_eq!(found(&sample(), "/d/", true), "a directory");
    }

    #[test]
    fn a_link_whose_target_ends_in_a_slash_wants_a_directory() {
        assert_eq!(found(&sample().link("/s", "/d/f/"), "/s", true), "ENOTDIR");
    }

    #[test]
    fn a_link_to_itself_is_followed_forty_times() {
        assert_eq!(found(&sample(), "/loop", true), "ELOOP");
    }

    #[test]
    fn a_part_that_is_too_long_is_said_so() {
        assert_eq!(found(&sample(), &"x".repeat(256), true), "ENAMETOOLONG");
    }

    #[test]
    fn what_is_missing_is_missing() {
        assert_eq!(found(&sample(), "/d/g/h", true), "ENOENT");
    }
}

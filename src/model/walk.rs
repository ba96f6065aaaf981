//! From a path to what is there: path_resolution(7), `link_path_walk` in fs/namei.c.

use super::reach::Rule;
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

/// What becomes of a link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLink {
    /// It is followed.
    Follow,
    /// It is what is found (`AT_SYMLINK_NOFOLLOW`).
    Keep,
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
    last: LastLink,
) -> Result<Walked, &'static str> {
    if Rule::NameTooLong.applies(path.len() > PATH) {
        return Err("ENAMETOOLONG");
    }
    let mut way = Way::new(base, path);
    let mut end = None;
    while let Some(part) = way.rest.pop() {
        let directory = searched(look(files, &way.place)?, caller)?;
        if Rule::LongPart.applies(part.len() > NAME) {
            return Err("ENAMETOOLONG");
        }
        if way.moves(part) == Moved::Along {
            continue;
        }
        match look(files, &way.place)? {
            Node::Link(target, owner) if last == LastLink::Follow || way.leads_on() => {
                way.count_link()?;
                let kept = way.rest.is_empty()
                    && Rule::LinkForbidden.applies(is_kept(caller, directory, owner));
                if kept {
                    return Err("EACCES");
                }
                way.follow(&target);
            }
            Node::Link(..) => end = Some(Walked::Link),
            Node::File(file) if !way.leads_on() => end = Some(Walked::File(file)),
            Node::Other if !way.leads_on() => end = Some(Walked::Other),
            Node::Directory(_) => {}
            Node::File(_) | Node::Other => {
                Rule::NoDirectory.applies(true);
                return Err("ENOTDIR");
            }
        }
    }
    match (end, look(files, &way.place)?) {
        (Some(found), _) => Ok(found),
        (None, Node::Directory(owned)) => Ok(Walked::Directory(owned)),
        // The base itself, for a path without any part.
        (None, Node::File(file)) => Ok(Walked::File(file)),
        (None, _) => Ok(Walked::Other),
    }
}

/// How far a path has been followed.
struct Way {
    /// Where it has come to, from the root.
    place: Vec<String>,
    /// The parts that are left, the next one last.
    rest: Vec<String>,
    /// A path that ends in a slash is a directory's, and a link at its end is followed.
    directory: bool,
    links: usize,
}

/// What a part of a path is.
#[derive(PartialEq, Eq)]
enum Moved {
    /// `.` or `..`: it stays among directories that were passed.
    Along,
    /// The name of what is looked at next.
    To,
}

impl Way {
    fn new(base: &str, path: &str) -> Way {
        let mut rest: Vec<String> = parts(path).collect();
        rest.reverse();
        Way {
            place: match path.starts_with('/') {
                true => Vec::new(),
                false => parts(base).collect(),
            },
            rest,
            directory: Rule::SlashAtEnd.applies(path.ends_with('/')),
            links: 0,
        }
    }

    /// Whether what it has come to must be a directory, or lead to one.
    fn leads_on(&self) -> bool {
        self.directory || !self.rest.is_empty()
    }

    fn moves(&mut self, part: String) -> Moved {
        match part.as_str() {
            "." => Moved::Along,
            ".." => {
                Rule::Parent.applies(true);
                self.place.pop();
                Moved::Along
            }
            _ => {
                self.place.push(part);
                Moved::To
            }
        }
    }

    /// Counted before anything is asked of a link: `reserve_stack` comes before `may_follow_link`.
    fn count_link(&mut self) -> Result<(), &'static str> {
        Rule::LinkFollowed.applies(true);
        self.links += 1;
        match Rule::TooManyLinks.applies(self.links > LINKS) {
            true => Err("ELOOP"),
            false => Ok(()),
        }
    }

    /// Puts the target of a link in its place.
    fn follow(&mut self, target: &str) {
        self.place.pop();
        // What a link at the end leads to is a directory by its own last slash as well.
        self.directory |= self.rest.is_empty() && target.ends_with('/');
        if target.starts_with('/') {
            self.place.clear();
        }
        let mut parts: Vec<_> = parts(target).collect();
        parts.reverse();
        self.rest.extend(parts);
    }
}

/// A directory in which the caller may look something up.
fn searched(here: Node, caller: &Caller) -> Result<Owned, &'static str> {
    let Node::Directory(owned) = here else {
        Rule::NoDirectory.applies(true);
        return Err("ENOTDIR");
    };
    match Rule::NotSearchable.applies(!owned.may_search(caller)) {
        true => Err("EACCES"),
        false => Ok(owned),
    }
}

/// What a path leads to, where the caller may open it to read it.
#[must_use]
pub fn readable(files: &dyn Files, caller: &Caller, path: &str) -> Option<Node> {
    match walk(files, caller, &caller.cwd, path, LastLink::Follow).ok()? {
        Walked::File(file) => {
            let may = file.owned.may_read(caller);
            may.then_some(Node::File(file))
        }
        Walked::Directory(owned) => {
            let may = owned.may_read(caller);
            may.then_some(Node::Directory(owned))
        }
        Walked::Link | Walked::Other => Some(Node::Other),
    }
}

/// Whether a link at the end of a path, in this directory, is not followed: somebody else's, where everybody
/// can put one (`may_follow_link` in fs/namei.c, `fs.protected_symlinks`).
fn is_kept(caller: &Caller, directory: Owned, owner: u32) -> bool {
    let anybodys = directory.mode & 0o1002 == 0o1002;
    caller.protects_links && anybodys && owner != caller.uid && owner != directory.uid
}

fn look(files: &dyn Files, place: &[String]) -> Result<Node, &'static str> {
    let node = files.node(&join(place));
    Rule::Missing.applies(node.is_none());
    node.ok_or("ENOENT")
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

    fn found(sample: &Sample, path: &str) -> String {
        ended(sample, path, LastLink::Follow)
    }

    fn ended(sample: &Sample, path: &str, last: LastLink) -> String {
        match walk(&sample.0, &call("/").caller, "/", path, last) {
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
        assert_eq!(found(&sample(), "/l"), "/d/f");
    }

    #[test]
    fn a_link_in_the_middle_is_always_followed() {
        assert_eq!(ended(&sample(), "up/./f", LastLink::Keep), "/d/f");
        assert_eq!(ended(&sample(), "/l", LastLink::Keep), "a link");
    }

    #[test]
    fn a_slash_at_the_end_wants_a_directory() {
        assert_eq!(found(&sample(), "/d/f/"), "ENOTDIR");
        assert_eq!(found(&sample(), "/d/"), "a directory");
    }

    #[test]
    fn a_link_whose_target_ends_in_a_slash_wants_a_directory() {
        assert_eq!(found(&sample().link("/s", "/d/f/"), "/s"), "ENOTDIR");
    }

    /// What comes of following a link of this owner in `/d`, which has this mode.
    fn followed(mode: u32, owner: u32, uid: u32, path: &str) -> bool {
        let mut sample = sample().link("/d/l", "f").link("/d/up", "/d");
        for node in sample.0.0.values_mut().flatten() {
            match node {
                Node::Link(_, own) => *own = owner,
                Node::Directory(owned) => owned.mode = mode,
                _ => {}
            }
        }
        let mut caller = call("/").caller;
        (caller.protects_links, caller.uid) = (true, uid);
        walk(&sample.0, &caller, "/", path, LastLink::Follow).is_ok()
    }

    #[test]
    fn a_link_of_somebody_else_where_everybody_can_put_one_is_not_followed() {
        assert!(!followed(0o1777, 7, 0, "/d/l"));
        assert!(followed(0o1777, 7, 7, "/d/l") && followed(0o1777, 0, 7, "/d/l"));
        assert!(followed(0o755, 7, 0, "/d/l") && followed(0o777, 7, 0, "/d/l"));
        assert!(followed(0o1755, 7, 0, "/d/l") && followed(0o1777, 7, 0, "/d/up/f"));
    }

    #[test]
    fn a_link_to_itself_is_followed_forty_times() {
        assert_eq!(found(&sample(), "/loop"), "ELOOP");
    }

    #[test]
    fn a_part_that_is_too_long_is_said_so() {
        assert_eq!(found(&sample(), &"x".repeat(256)), "ENAMETOOLONG");
    }

    #[test]
    fn what_is_missing_is_missing() {
        assert_eq!(found(&sample(), "/d/g/h"), "ENOENT");
    }

    #[test]
    fn a_part_of_255_bytes_is_not_too_long() {
        assert_eq!(found(&sample(), &"x".repeat(255)), "ENOENT");
    }

    #[test]
    fn a_path_has_4095_bytes_at_the_most() {
        let long = |count: usize| found(&sample(), &("/".repeat(count - 1) + "d"));
        assert_eq!(
            (&*long(4095), &*long(4096)),
            ("a directory", "ENAMETOOLONG")
        );
    }

    #[test]
    fn forty_links_are_followed_and_no_more() {
        let chain = |count: usize| {
            let first = sample().link("/0", "/d/f");
            let all = (1..count).fold(first, |sample, at| {
                sample.link(&format!("/{at}"), &format!("/{}", at - 1))
            });
            found(&all, &format!("/{}", count - 1))
        };
        assert_eq!((&*chain(40), &*chain(41)), ("/d/f", "ELOOP"));
    }

    #[test]
    fn two_dots_lead_up_and_not_beyond_the_root() {
        assert_eq!(found(&sample(), "/d/../d/f"), "/d/f");
        assert_eq!(found(&sample(), "/../../d/f"), "/d/f");
    }

    #[test]
    fn a_file_has_nothing_below_it() {
        assert_eq!(found(&sample(), "/d/f/x"), "ENOTDIR");
        assert_eq!(found(&sample(), "/l/x"), "ENOTDIR");
    }

    #[test]
    fn a_relative_path_begins_at_its_base() {
        let walked = walk(&sample().0, &call("/").caller, "/d", "f", LastLink::Follow);
        assert!(matches!(walked, Ok(Walked::File(file)) if file.name == "/d/f"));
        let base = walk(&sample().0, &call("/").caller, "/d/f", "", LastLink::Follow);
        assert!(matches!(base, Ok(Walked::File(file)) if file.name == "/d/f"));
    }

    #[test]
    fn a_link_to_a_directory_with_a_slash_is_followed() {
        assert_eq!(
            ended(&sample().link("/s", "d"), "/s/", LastLink::Keep),
            "a directory"
        );
        assert_eq!(
            ended(&sample().link("/s", "/d/f"), "/s/", LastLink::Keep),
            "ENOTDIR"
        );
    }

    #[test]
    fn a_slash_of_the_path_and_one_of_the_link_want_the_same_directory() {
        let sample = sample().link("/s", "/d/f/");
        assert_eq!(found(&sample, "/s/"), "ENOTDIR");
    }

    fn other(path: &str) -> Sample {
        let mut sample = sample();
        sample.0.0.insert(path.to_owned(), Some(Node::Other));
        sample
    }

    #[test]
    fn a_device_is_something_else_and_no_directory() {
        assert_eq!(found(&other("/n"), "/n"), "something");
        assert_eq!(found(&other("/n"), "/n/"), "ENOTDIR");
        let base = walk(
            &other("/n").0,
            &call("/").caller,
            "/n",
            "",
            LastLink::Follow,
        );
        assert!(matches!(base, Ok(Walked::Other)));
    }

    #[test]
    fn a_directory_that_may_not_be_searched_leads_nowhere() {
        let mut sample = sample();
        let closed = Node::Directory(Owned {
            mode: 0o644,
            uid: 0,
            gid: 0,
        });
        sample.0.0.insert("/d".to_owned(), Some(closed));
        let mut caller = call("/").caller;
        assert!(walk(&sample.0, &caller, "/", "/d/f", LastLink::Follow).is_ok());
        (caller.overrides, caller.reads) = (false, false);
        assert_eq!(
            walk(&sample.0, &caller, "/", "/d/f", LastLink::Follow).err(),
            Some("EACCES")
        );
        assert!(walk(&sample.0, &caller, "/", "/d", LastLink::Follow).is_ok());
    }

    #[test]
    fn who_may_read_everything_may_search_and_not_execute() {
        let mut sample = sample().mode("/d/w", b"", 0o100);
        let closed = Owned {
            mode: 0o600,
            uid: 0,
            gid: 0,
        };
        let directory = Node::Directory(closed);
        sample.0.0.insert("/d".to_owned(), Some(directory));
        let mut caller = call("/").caller;
        (caller.uid, caller.overrides) = (7, false);
        let found = walk(&sample.0, &caller, "/", "/d/w", LastLink::Follow);
        let Ok(Walked::File(file)) = found else {
            panic!("no file")
        };
        assert!(file.owned.may_read(&caller) && !file.owned.may_execute(&caller));
        caller.reads = false;
        assert!(!file.owned.may_read(&caller));
        assert!(walk(&sample.0, &caller, "/", "/d/w", LastLink::Follow).is_err());
    }

    #[test]
    fn what_may_be_read_is_told() {
        let mut caller = call("/").caller;
        (caller.overrides, caller.reads) = (false, false);
        let sample = sample().mode("/d/w", b"", 0o300).link("/k", "d/f");
        let kind = |caller: &Caller, path: &str| match readable(&sample.0, caller, path) {
            Some(Node::File(file)) => file.name,
            Some(Node::Directory(_)) => "a directory".to_owned(),
            Some(_) => "something".to_owned(),
            None => "nothing".to_owned(),
        };
        assert_eq!(kind(&caller, "/k"), "/d/f");
        assert_eq!(kind(&caller, "d/w"), "nothing");
        assert_eq!(kind(&caller, "/d"), "a directory");
        assert_eq!(kind(&caller, "/none"), "nothing");
        let other = other("/n");
        assert_eq!(readable(&other.0, &caller, "/n"), Some(Node::Other));
        caller.uid = 7;
        caller.gid = 7;
        let mut closed = sample.0.clone();
        closed.0.insert(
            "/d".to_owned(),
            Some(Node::Directory(Owned {
                mode: 0o711,
                uid: 0,
                gid: 0,
            })),
        );
        assert_eq!(readable(&closed, &caller, "/d"), None);
    }
}

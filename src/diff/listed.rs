//! What differs between two lists of things that each have a name, in words: stages that a process
//! passes, events that somebody reports.

use std::collections::BTreeSet;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// One thing of such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it is called; the same name is the same thing.
    pub name: String,
    /// What more is told of it where it came or went.
    pub more: Option<String>,
    /// What may be otherwise about it, each under a name that may be empty.
    pub about: Vec<(&'static str, String)>,
    /// That it came or went is told elsewhere: here it says where the others are.
    pub told: bool,
}

/// What is said of things that came and went.
#[derive(Clone, Copy, Debug)]
pub struct Verbs {
    /// "also passes"
    pub come: &'static str,
    /// "no longer passes"
    pub gone: &'static str,
}

/// What differs: what moved, what came, what is gone, what is otherwise. Neighbours that share a fate share a line.
#[must_use]
pub fn listed(old: &[Listed], new: &[Listed], verbs: Verbs) -> Vec<String> {
    let Lined { pairs, moved } = lined(old, new);
    let mut words = Vec::new();
    let fixed: Vec<_> = pairs
        .iter()
        .filter(|pair| !moved.contains(pair))
        .copied()
        .collect();
    let places = moved.iter();
    let places: Vec<_> = places
        .filter_map(|&(from, to)| Some((&old[from].name, place(new, (from, to), &fixed)?)))
        .collect();
    for run in places.chunk_by(|a, b| a.1 == b.1) {
        let names: Vec<_> = run.iter().map(|(name, _)| name).collect();
        let verb = if names.len() == 1 { "comes" } else { "come" };
        let place = run.first().map_or("", |(_, place)| place);
        words.push(format!("{} {verb} {place}", all(&names)));
    }
    let stays: BTreeSet<usize> = pairs.iter().map(|(_, to)| *to).collect();
    let come = (0..new.len()).filter(|to| !stays.contains(to) && !new[*to].told);
    for run in come.collect::<Vec<_>>().chunk_by(|a, b| a + 1 == *b) {
        let place = match run[0].checked_sub(1) {
            Some(last) => format!("after {}", new[last].name),
            None => "first".to_owned(),
        };
        words.push(format!("{} {}, {place}", verbs.come, full(new, run)));
    }
    let stayed: BTreeSet<usize> = pairs.iter().map(|(from, _)| *from).collect();
    let gone = (0..old.len()).filter(|from| !stayed.contains(from) && !old[*from].told);
    for run in gone.collect::<Vec<_>>().chunk_by(|a, b| a + 1 == *b) {
        words.push(format!("{} {}", verbs.gone, full(old, run)));
    }
    for (from, to) in pairs {
        let word = otherwise(&old[from], &new[to]);
        words.extend(word.filter(|word| !words.contains(word)));
    }
    words
}

/// Two lists beside each other.
struct Lined {
    /// What is in both, moved or not, in the order of the new list.
    pairs: Vec<(usize, usize)>,
    /// What is elsewhere, in the order of the new list.
    moved: Vec<(usize, usize)>,
}

fn lined(old: &[Listed], new: &[Listed]) -> Lined {
    let names = |list: &[Listed]| list.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let (before, after) = (names(old), names(new));
    let (mut pairs, mut moved) = (Vec::new(), Vec::new());
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        match op {
            DiffOp::Equal { .. } => pairs.extend(op.old_range().zip(op.new_range())),
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                gone.extend(op.old_range());
                come.extend(op.new_range());
            }
        }
    }
    for to in come {
        if let Some(slot) = gone.iter().position(|from| before[*from] == after[to]) {
            moved.push((gone.remove(slot), to));
        }
    }
    pairs.extend(&moved);
    pairs.sort_unstable_by_key(|(_, to)| *to);
    Lined { pairs, moved }
}

/// Where something is now that was elsewhere, by what it has passed of those that stay.
fn place(new: &[Listed], moved: (usize, usize), fixed: &[(usize, usize)]) -> Option<String> {
    let was = |to: usize| fixed.iter().find(|pair| pair.1 == to).map(|pair| pair.0);
    // What stood behind it and is before it now, or the other way round; the nearest.
    let behind = (0..moved.1).rev().find(|to| was(*to) > Some(moved.0));
    let ahead = (moved.1 + 1..new.len()).find(|to| was(*to).is_some_and(|from| from < moved.0));
    match (behind, ahead) {
        (Some(to), _) => Some(format!("after {}", new[to].name)),
        (None, Some(to)) => Some(format!("before {}", new[to].name)),
        (None, None) => None,
    }
}

fn full(list: &[Listed], run: &[usize]) -> String {
    let name = |at: &usize| match &list[*at].more {
        Some(more) => format!("{} ({more})", list[*at].name),
        None => list[*at].name.clone(),
    };
    all(&run.iter().map(name).collect::<Vec<_>>())
}

/// What is otherwise about one thing.
fn otherwise(old: &Listed, new: &Listed) -> Option<String> {
    let value = |one: &Listed, field: &str| {
        let mut found = one.about.iter().filter(|(name, _)| *name == field);
        found
            .next()
            .map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
    };
    let mut fields: Vec<&str> = new.about.iter().map(|(name, _)| *name).collect();
    fields.extend(old.about.iter().map(|(name, _)| *name));
    let mut parts: Vec<String> = Vec::new();
    for field in fields {
        let (from, to) = (value(old, field), value(new, field));
        let part = match field {
            "" => format!("{from} -> {to}"),
            _ => format!("{field} {from} -> {to}"),
        };
        if from != to && !parts.contains(&part) {
            parts.push(part);
        }
    }
    (!parts.is_empty()).then(|| format!("{}: {}", new.name, parts.join(", ")))
}

/// "a", "a and b", "a, b and c".
#[must_use]
pub fn all<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: Verbs = Verbs {
        come: "also passes",
        gone: "no longer passes",
    };

    /// The words for what differs; a thing is "name" or "name=value", and one in capitals is told elsewhere.
    fn words(old: &str, new: &str) -> Vec<String> {
        let list = |text: &str| -> Vec<Listed> {
            let words = text.split_ascii_whitespace();
            let one = |word: &str| {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                Listed {
                    name: name.to_owned(),
                    more: (name == "x").then(|| "by f".to_owned()),
                    about: (!value.is_empty())
                        .then(|| ("", value.to_owned()))
                        .into_iter()
                        .collect(),
                    told: name == name.to_uppercase(),
                }
            };
            words.map(one).collect()
        };
        listed(&list(old), &list(new), VERBS)
    }

    #[test]
    fn equal_lists_differ_in_nothing() {
        assert!(words("a=1 b A", "a=1 b A").is_empty());
    }

    #[test]
    fn what_came_is_told_with_its_place() {
        assert_eq!(
            words("a b", "a x y b"),
            ["also passes x (by f) and y, after a"]
        );
        assert_eq!(words("a b", "x a b"), ["also passes x (by f), first"]);
    }

    #[test]
    fn what_went_is_told() {
        assert_eq!(words("a b c d", "a d"), ["no longer passes b and c"]);
    }

    #[test]
    fn neighbours_that_moved_back_share_a_line() {
        assert_eq!(
            words("a b C D E f", "C D E a b f"),
            ["a and b come after E"]
        );
    }

    #[test]
    fn what_moved_to_the_front_is_told_before_what() {
        assert_eq!(words("a b c d e", "d e a b c"), ["d and e come before a"]);
        assert_eq!(words("a b c d", "a d b c"), ["d comes before b"]);
        assert_eq!(words("a b c d", "a d X b c"), ["d comes before b"]);
    }

    #[test]
    fn neighbours_that_came_from_two_sides_have_a_line_each() {
        let found = words("a X Y b C D", "X Y b a C D");
        assert_eq!(found, ["a comes after b"]);
        let found = words("a P Q R b S T U", "P Q R a b S T U");
        assert_eq!(found, ["a comes after R"]);
        let found = words("a P Q R S T U b", "P Q R b a S T U");
        assert_eq!(found, ["b comes before S", "a comes after R"]);
    }

    #[test]
    fn another_value_is_one_word_however_often_it_is_there() {
        assert_eq!(words("a=1 b a=1", "a=2 b a=2"), ["a: 1 -> 2"]);
        assert_eq!(words("a", "a=2"), ["a: none -> 2"]);
    }

    #[test]
    fn what_is_told_elsewhere_comes_and_goes_without_a_word() {
        assert!(words("a B c", "a c D").is_empty());
    }

    #[test]
    fn a_list_is_joined_as_in_a_sentence() {
        assert_eq!(all(&["a", "b", "c"]), "a, b and c");
        assert_eq!(all::<&str>(&[]), "");
    }
}

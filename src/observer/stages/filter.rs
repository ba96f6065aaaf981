//! Which functions are traced: chosen by their place in the kernel's list.
//!
//! A name costs a walk through all of the kernel's functions, 60 ms each under emulation; a place
//! in the list next to nothing (`add_rec_by_index` in kernel/trace/ftrace.c). So the list is read
//! once, and what was chosen is read back: places are worth nothing unless they mean what we think.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use memchr::memchr2;

use crate::observer::tracefs::append as write;
use crate::trace::plain;

/// Traces these functions in an instance; returns those that the kernel has.
///
/// # Errors
///
/// tracefs refuses something.
pub fn choose<'a>(top: &Path, directory: &Path, wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    let path = top.join("available_filter_functions");
    let list = fs::read_to_string(&path);
    let list = list.with_context(|| format!("failed to read {}", path.display()))?;
    let places = places(&list, wanted);
    let filter = directory.join("set_ftrace_filter");
    let numbers = places.values().flatten().map(|place| format!("{place} "));
    let numbers = numbers.collect::<String>();
    let chosen = write(&filter, &format!("{numbers}\n"))
        .and_then(|()| fs::read_to_string(&filter).context("failed to read set_ftrace_filter"));
    let chosen = chosen.unwrap_or_default();
    let found: Vec<&str> = places.keys().copied().collect();
    if names(&chosen) == found {
        return Ok(found);
    }
    // A kernel whose list is not the one that it counts by: slowly, then, and by name.
    fs::write(&filter, "").context("failed to empty set_ftrace_filter")?;
    let by_name = |name: &&&str| {
        // Without the end of the line the kernel waits for more, and says no to nobody.
        let names = [format!("{name}\n"), format!("{name}.*\n")];
        names.iter().any(|name| write(&filter, name).is_ok())
    };
    Ok(wanted.iter().filter(by_name).copied().collect())
}

/// The places of the functions that are wanted, from 1, under their own name or, where there is
/// none, under one that the compiler made of it.
fn places<'a>(list: &str, wanted: &[&'a str]) -> BTreeMap<&'a str, Vec<usize>> {
    // Of tens of thousands of lines, each under emulation, nearly all are somebody else's.
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable();
    let mut exact: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut made: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, line) in (1..).zip(list.lines()) {
        let name = first_word(line);
        let Ok(found) = sorted.binary_search(&plain(name)) else {
            continue;
        };
        let own = sorted[found];
        let places = if own == name { &mut exact } else { &mut made };
        places.entry(own).or_default().push(place);
    }
    for (name, places) in made {
        exact.entry(name).or_insert(places);
    }
    exact
}

/// The name of a function on a line, without its module.
fn first_word(line: &str) -> &str {
    let bytes = line.as_bytes();
    let end = memchr2(b' ', b'\t', bytes).unwrap_or(bytes.len());
    line.get(..end).unwrap_or_default()
}

/// The functions of a filter, each once and without what the compiler hung on it.
fn names(filter: &str) -> Vec<&str> {
    let lines = filter.lines().filter(|line| !line.starts_with('#'));
    let names = lines.map(|line| plain(first_word(line)));
    let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Vec<usize> {
        let mut all = places(&lines.join("\n"), &["z", "f"]);
        all.remove("f").unwrap_or_default()
    }

    #[test]
    fn a_function_is_chosen_by_its_place_from_1() {
        assert_eq!(found(&["a", "f [module]"]), [2]);
    }

    #[test]
    fn two_functions_of_one_name_are_both_chosen() {
        assert_eq!(found(&["f", "a", "f"]), [1, 3]);
    }

    #[test]
    fn a_part_of_a_function_is_not_taken_for_it() {
        assert_eq!(found(&["f.part.0", "f"]), [2]);
    }

    #[test]
    fn what_the_compiler_made_of_a_function_stands_for_it() {
        assert_eq!(found(&["a", "f.isra.0"]), [2]);
    }

    #[test]
    fn what_was_chosen_is_read_back_by_name() {
        assert_eq!(
            names("g\nf.isra.0\nf [m]\n#### all functions enabled ####\n"),
            ["f", "g"]
        );
    }
}

//! Words about lists that have a part for each process.

use crate::diff::{Listed, all};

/// Compares part with part; what is the same of several processes is one line.
pub fn by_process(
    old: &Vec<(&str, Listed)>,
    new: &Vec<(&str, Listed)>,
    compare: impl Fn(&[Listed], &[Listed]) -> Vec<String>,
) -> Vec<String> {
    let mut processes: Vec<&str> = Vec::new();
    for (process, _) in old.iter().chain(new) {
        if !processes.contains(process) {
            processes.push(process);
        }
    }
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for process in &processes {
        let part = |list: &[(&str, Listed)]| -> Vec<Listed> {
            let own = list.iter().filter(|(owner, _)| owner == process);
            own.map(|(_, listed)| listed.clone()).collect()
        };
        for words in compare(&part(old), &part(new)) {
            match said.iter_mut().find(|(known, _)| *known == words) {
                Some((_, owners)) => owners.push(process),
                None => said.push((words, vec![process])),
            }
        }
    }
    let lines = said
        .into_iter()
        .map(|(words, owners)| match processes.len() {
            1 => words,
            _ => format!("{}: {words}", all(&owners)),
        });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(old: &[&'static str], new: &[&'static str]) -> Vec<String> {
        let list = |words: &[&'static str]| -> Vec<(&'static str, Listed)> {
            let pairs = words.iter().map(|word| word.split_once(' ').unwrap());
            let one = |name: &str| Listed {
                name: name.to_owned(),
                more: None,
                about: Vec::new(),
                told: false,
            };
            pairs.map(|(process, name)| (process, one(name))).collect()
        };
        by_process(&list(old), &list(new), |old, new| {
            vec![format!("{} -> {}", old.len(), new.len())]
        })
    }

    #[test]
    fn a_process_alone_is_not_named() {
        assert_eq!(lists(&["p1 a"], &[]), ["1 -> 0"]);
    }

    #[test]
    fn what_is_the_same_of_two_is_one_line() {
        assert_eq!(lists(&["p1 a", "p2 a"], &[]), ["p1 and p2: 1 -> 0"]);
        assert_eq!(
            lists(&["p1 a", "p2 a"], &["p2 b"]),
            ["p1: 1 -> 0", "p2: 1 -> 1"]
        );
    }
}

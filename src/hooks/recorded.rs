//! When an exec passes a symbol, from the stages that were accepted.

use crate::stages::{Inside, Point, Source, StageMark};

/// How one story of stages passes a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How often, in the first exec.
    pub times: usize,
    /// The stage that stands for it.
    pub stage: String,
    /// The exe link has changed when it is passed first.
    pub after_exe: bool,
    /// The name has changed by then.
    pub after_comm: bool,
    /// The credentials have been taken by then.
    pub after_credentials: bool,
}

/// How the first exec of a story passes a symbol, `function` or `group:event`; none where it does not.
#[must_use]
pub fn passed(story: &Inside, symbol: &str) -> Option<Passed> {
    let first = story.stages.first()?.process().to_owned();
    let own = story.stages.iter().filter_map(|point| match point {
        Point::Stage(mark) if mark.process == first => Some(mark),
        _ => None,
    });
    let mut found: Option<Passed> = None;
    let (mut exe, mut comm, mut credentials) = (false, false, false);
    for mark in own {
        if is(mark, symbol) {
            match &mut found {
                Some(found) => found.times += 1,
                None => {
                    found = Some(Passed {
                        times: 1,
                        stage: mark.stage.clone(),
                        after_exe: exe,
                        after_comm: comm,
                        after_credentials: credentials,
                    });
                }
            }
        }
        exe |= mark.stage == "exe-file-set";
        comm |= mark.stage == "comm";
        credentials |= mark.stage == "credentials";
        if mark.stage == "return" {
            break;
        }
    }
    found
}

/// Whether the stages that are recorded would show a symbol.
#[must_use]
pub fn is_recorded(symbol: &str) -> bool {
    Source::all().any(|source| match source {
        Source::Function(name) | Source::With(name) => name == symbol,
        Source::Event(group, name) => name == symbol || format!("{group}:{name}") == symbol,
        Source::Return(_) | Source::Entry => false,
    })
}

fn is(mark: &StageMark, symbol: &str) -> bool {
    let event = mark.symbol.split_once(':').map(|(_, name)| name);
    mark.symbol == symbol || event == Some(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(stages: &[(&str, &str)]) -> Inside {
        let mark = |(stage, symbol): &(&str, &str)| {
            Point::Stage(StageMark {
                process: "p1".into(),
                stage: (*stage).into(),
                symbol: (*symbol).into(),
                detail: None,
            })
        };
        Inside {
            stages: stages.iter().map(mark).collect(),
            ..Inside::default()
        }
    }

    #[test]
    fn a_symbol_is_before_or_after_each_change_of_identity() {
        let story = story(&[
            ("a", "f"),
            ("exe-file-set", "g"),
            ("b", "h"),
            ("comm", "t:r"),
            ("c", "f"),
        ]);
        let f = passed(&story, "f").unwrap();
        assert_eq!((f.times, f.after_exe, f.after_comm), (2, false, false));
        let h = passed(&story, "h").unwrap();
        assert_eq!((h.times, h.after_exe, h.after_comm), (1, true, false));
        assert!(passed(&story, "r").is_some() && passed(&story, "x").is_none());
    }

    #[test]
    fn what_comes_after_the_return_is_no_part_of_the_exec() {
        assert_eq!(
            passed(&story(&[("a", "f"), ("return", "s:e"), ("b", "g")]), "g"),
            None
        );
    }
}

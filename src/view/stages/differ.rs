//! What differs between the stages of two kernels, in words.

use crate::diff::{Listed, Side, Verbs, all, listed};
use crate::stages::{Inside, Point, Story};
use crate::view::lists::by_process;

const VERBS: Verbs = Verbs {
    come: "also passes",
    gone: "no longer passes",
};

/// The words; of steps it says only that the trails differ, which have words of their own.
pub fn words(old: (&Side, &Story), new: (&Side, &Story)) -> Vec<String> {
    let mut words = Vec::new();
    for (side, story, other) in [(old.0, old.1, new.1), (new.0, new.1, old.1)] {
        let own = |inside: &Inside| inside.untraceable.clone();
        let mut blind = own(&story.inside);
        blind.retain(|stage| !other.inside.untraceable.contains(stage));
        if !blind.is_empty() {
            words.push(format!("not traceable on {}: {}", side.kernel, all(&blind)));
        }
    }
    let lists = [(old.1, new.1), (new.1, old.1)].map(|(story, other)| {
        let points = story.inside.stages.iter();
        let shown = points.filter(|point| both_show(point, &other.inside));
        let pairs = shown.map(|point| (point.process(), thing(point)));
        pairs.collect()
    });
    let [old_list, new_list] = lists;
    words.extend(by_process(&old_list, &new_list, |old, new| {
        listed(old, new, VERBS)
    }));
    if old.1.trail != new.1.trail {
        words.push("the trail differs as well".to_owned());
    }
    words
}

/// Whether the other kernel would show it if it were there.
fn both_show(point: &Point, other: &Inside) -> bool {
    match point {
        Point::Stage(mark) => {
            !other.untraceable.contains(&mark.stage) && !other.absent.contains(&mark.symbol)
        }
        Point::Step(_) => true,
    }
}

fn thing(point: &Point) -> Listed {
    match point {
        Point::Stage(mark) => {
            let detail = mark.detail.iter().map(|detail| ("", detail.clone()));
            Listed {
                name: mark.stage.clone(),
                more: Some(mark.symbol.clone()),
                about: [("by", mark.symbol.clone())]
                    .into_iter()
                    .chain(detail)
                    .collect(),
                told: false,
            }
        }
        Point::Step(step) => Listed {
            name: format!("{} {}", step.step, step.path),
            more: None,
            about: Vec::new(),
            told: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::parse;

    const START: &str = "start p1 by launcher: execve /a\n";
    const STEP: &str = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";

    fn stage(name: &str, symbol: &str) -> String {
        format!("stage={name:<22} pid=p1 : {symbol}\n")
    }

    fn differ(old: &str, new: &str) -> Vec<String> {
        let [old, new] = [old, new].map(|text| parse(text).unwrap());
        words((&Side::of("5.10"), &old), (&Side::of("7.3"), &new))
    }

    #[test]
    fn another_function_and_another_value_are_told_by_the_stage() {
        let old = format!("{START}{}{}", stage("open", "f"), stage("comm", "t = a"));
        let new = format!("{START}{}{}", stage("open", "g"), stage("comm", "t = b"));
        assert_eq!(differ(&old, &new), ["open: by f -> g", "comm: a -> b"]);
    }

    #[test]
    fn a_stage_on_the_other_side_of_a_step_has_moved() {
        let (first, exec) = (stage("bprm", "f"), stage("exec", "g"));
        let steps = STEP.replace("open   ", "execute") + STEP;
        let old = format!("{START}{first}{exec}{steps}");
        let new = format!("{START}{first}{steps}{exec}");
        assert_eq!(differ(&old, &new), ["exec comes after open /a"]);
    }

    #[test]
    fn what_one_kernel_cannot_show_is_no_difference_but_said() {
        let (bprm, exec) = (stage("bprm", "f"), stage("exec", "g"));
        let old = format!("untraceable: exec\n\n{START}{bprm}");
        let new = format!("{START}{bprm}{exec}");
        assert_eq!(differ(&old, &new), ["not traceable on 5.10: exec"]);
    }

    #[test]
    fn another_step_is_the_trails_to_tell() {
        let old = format!("{START}{}{STEP}", stage("bprm", "f"));
        let new = old.replace("comm=x", "comm=y");
        assert_eq!(differ(&old, &new), ["the trail differs as well"]);
    }
}

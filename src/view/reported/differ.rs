//! What differs between the reports of one observer on two kernels, in words.

use crate::diff::{Listed, Side, Verbs, all, listed};
use crate::event::{Event, Field, Kind, Report};
use crate::view::lists::by_process;

const VERBS: Verbs = Verbs {
    come: "also reports",
    gone: "no longer reports",
};

/// The words.
pub fn words(old: (&Side, &Report), new: (&Side, &Report)) -> Vec<String> {
    let mut words = Vec::new();
    for (side, report, other) in [(old.0, old.1, new.1), (new.0, new.1, old.1)] {
        let kernel = &side.kernel;
        if let Some(deaf) = report.deaf.as_ref().filter(|_| report.deaf != other.deaf) {
            words.push(format!("hears nothing on {kernel}: {deaf}"));
        }
        let mut absent = report.absent.clone();
        absent.retain(|source| !other.absent.contains(source));
        if !absent.is_empty() {
            words.push(format!("not on {kernel}: {}", all(&absent)));
        }
    }
    if old.1.deaf.is_none() && new.1.deaf.is_none() {
        let lists = [(old.1, new.1), (new.1, old.1)].map(|(report, other)| {
            let events = report.events.iter();
            let shown = events.filter(|event| !other.absent.contains(&event.source));
            let pairs = shown.map(|event| (event.process.as_str(), thing(event)));
            pairs.collect()
        });
        let [old, new] = lists;
        words.extend(by_process(&old, &new, |old, new| listed(old, new, VERBS)));
    }
    if old.1.footprint != new.1.footprint {
        words.push("leaves another footprint in the trail".to_owned());
    }
    words
}

/// A value that is empty is there all the same.
fn shown(value: &str) -> String {
    match value.is_empty() {
        true => "\"\"".to_owned(),
        false => value.to_owned(),
    }
}

fn thing(event: &Event) -> Listed {
    let thread = if event.thread { " of a thread" } else { "" };
    let after = event.after.iter();
    let after = after.map(|steps| ("steps before it", steps.to_string()));
    let fields = event.fields.iter();
    let fields = fields.map(|(field, value)| (field.as_str(), shown(value)));
    // Of several opens it is the file that tells which is which.
    let file = event.get(Field::File).filter(|_| event.kind == Kind::Open);
    let file = file.map_or_else(String::new, |file| format!(" of {file}"));
    Listed {
        name: format!("{}{thread}{file} by {}", event.kind.as_str(), event.source),
        more: None,
        about: after.chain(fields).collect(),
        told: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse;

    fn differ(old: &str, new: &str) -> Vec<String> {
        let [old, new] = [old, new].map(|text| parse(text).unwrap());
        words((&Side::of("5.10"), &old), (&Side::of("7.3"), &new))
    }

    #[test]
    fn another_field_is_told_by_its_event() {
        let words = differ(
            "event=exec    pid=p1 after=2 : sched path=/a\n",
            "event=exec    pid=p1 after=3 : sched path=/b\n",
        );
        assert_eq!(
            words,
            ["exec by sched: steps before it 2 -> 3, path /a -> /b"]
        );
    }

    #[test]
    fn opens_of_two_files_are_two_things() {
        let words = differ(
            "event=open    pid=p1 : E file=/b\n",
            "event=open    pid=p1 : E file=/a\nevent=open    pid=p1 : E file=/b\n",
        );
        assert_eq!(words, ["also reports open of /a by E, first"]);
    }

    #[test]
    fn a_value_that_is_empty_is_not_one_that_is_not_there() {
        let words = differ(
            "event=call    pid=p1 : enter\n",
            "event=call    pid=p1 : enter path=\"\"\n",
        );
        assert_eq!(words, ["call by enter: path none -> \"\""]);
    }

    #[test]
    fn an_event_that_came_is_told_with_its_place() {
        let words = differ(
            "event=call    pid=p1 : enter\n",
            "event=call    pid=p1 : enter\nevent=exec    pid=p1 : sched\n",
        );
        assert_eq!(words, ["also reports exec by sched, after call by enter"]);
    }

    #[test]
    fn what_there_is_not_on_one_kernel_is_said_once() {
        let words = differ(
            "absent: prepare\nnothing\n",
            "event=inside  pid=p1 : prepare\n",
        );
        assert_eq!(words, ["not on 5.10: prepare"]);
    }

    #[test]
    fn one_that_hears_nothing_is_told_why() {
        let words = differ(
            "deaf: lsm= has no bpf\nnothing\n",
            "event=inside  pid=p1 : f\n",
        );
        assert_eq!(words, ["hears nothing on 5.10: lsm= has no bpf"]);
    }
}

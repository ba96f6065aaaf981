//! A story as the guest sends it: a serial port is slow under emulation, and a story says the same
//! words again and again.

use serde::{Deserialize, Serialize};

use super::{Inside, Point, StageMark};
use crate::trail::Trail;

/// A story in which every word stands once, and a step is its place in the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    words: Vec<String>,
    /// A step is one number, a stage three or four: process, stage, symbol and what more was seen.
    points: Vec<Vec<usize>>,
    untraceable: Vec<String>,
    absent: Vec<String>,
}

impl Packed {
    /// Packs a story; none when it has a step that the trail does not have.
    #[must_use]
    pub fn new(trail: &Trail, inside: &Inside) -> Option<Packed> {
        let mut packed = Packed {
            untraceable: inside.untraceable.clone(),
            absent: inside.absent.clone(),
            ..Packed::default()
        };
        let mut left: Vec<usize> = (0..trail.steps.len()).collect();
        for point in &inside.stages {
            let numbers = match point {
                Point::Step(step) => {
                    let same = |place: &usize| trail.steps.get(*place) == Some(step);
                    vec![left.remove(left.iter().position(same)?)]
                }
                Point::Stage(mark) => {
                    let words = [&mark.process, &mark.stage, &mark.symbol];
                    let words = words.into_iter().chain(&mark.detail);
                    words.map(|word| packed.number(word)).collect()
                }
            };
            packed.points.push(numbers);
        }
        Some(packed)
    }

    fn number(&mut self, word: &str) -> usize {
        let known = self.words.iter().position(|known| known == word);
        known.unwrap_or_else(|| {
            self.words.push(word.to_owned());
            self.words.len() - 1
        })
    }

    /// Unpacks the story of this trail; none for one that is damaged.
    #[must_use]
    pub fn unpack(&self, trail: &Trail) -> Option<Inside> {
        let word = |number: &usize| self.words.get(*number).cloned();
        let point = |numbers: &Vec<usize>| match numbers.as_slice() {
            [place] => trail.steps.get(*place).cloned().map(Point::Step),
            [process, stage, symbol, more @ ..] => Some(Point::Stage(StageMark {
                process: word(process)?,
                stage: word(stage)?,
                symbol: word(symbol)?,
                detail: match more {
                    [] => None,
                    [detail] => Some(word(detail)?),
                    _ => return None,
                },
            })),
            _ => None,
        };
        Some(Inside {
            stages: self.points.iter().map(point).collect::<Option<_>>()?,
            untraceable: self.untraceable.clone(),
            absent: self.absent.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Story, parse};
    use super::Packed;

    fn story() -> Story {
        let step = "perm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
        let text = format!(
            "absent: f\nuntraceable: no-return\n\nstart p1 by launcher: execve /a\n\
             stage=open                   pid=p1 : do_open_execat\n{step}{step}\
             stage=return                 pid=p1 : syscalls:sys_exit_execve = 0\n"
        );
        parse(&text).unwrap()
    }

    #[test]
    fn a_story_is_unpacked_as_it_was_packed() {
        let story = story();
        let packed = Packed::new(&story.trail, &story.inside).unwrap();
        assert_eq!(packed.unpack(&story.trail), Some(story.inside));
    }

    #[test]
    fn a_story_of_another_trail_is_not_packed() {
        let mut story = story();
        story.trail.steps.clear();
        assert_eq!(Packed::new(&story.trail, &story.inside), None);
    }
}

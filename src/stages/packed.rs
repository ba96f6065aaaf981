//! A story as the guest sends it: a serial port is slow under emulation, and a story says the same
//! words again and again.

use serde::{Deserialize, Serialize};

use super::{Inside, Point, StageMark};
use crate::trail::{LONGEST, Step, Trail};

/// How many bytes the words of a story may have, each as often as it stands there.
const MOST: usize = 16 << 20;

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

    /// Unpacks the story of this trail, and no more than a story may hold: a few words stand for many.
    ///
    /// # Errors
    ///
    /// It is longer than [`LONGEST`] or [`MOST`], or it is of another trail, or damaged.
    pub fn unpack(&self, trail: &Trail) -> Result<Inside, String> {
        let length = self.points.len();
        if length > LONGEST {
            return Err(format!(
                "it has {length} lines, more than the limit of {LONGEST}"
            ));
        }
        let of_words = self.points.iter().filter(|numbers| numbers.len() > 1);
        let words = of_words
            .flatten()
            .filter_map(|place| self.words.get(*place));
        let size = words.fold(0, |size: usize, word| size.saturating_add(word.len()));
        if size > MOST {
            return Err(format!(
                "its stages hold {size} bytes, more than the limit of {MOST}"
            ));
        }
        self.whole(trail)
            .ok_or_else(|| "the guest's stages are not those of its trail".to_owned())
    }

    fn whole(&self, trail: &Trail) -> Option<Inside> {
        let mut left: Vec<Option<&Step>> = trail.steps.iter().map(Some).collect();
        let mut stages = Vec::new();
        for numbers in &self.points {
            stages.push(match numbers.as_slice() {
                // Each step stands once.
                [place] => Point::Step(left.get_mut(*place)?.take()?.clone()),
                words => Point::Stage(self.mark(words)?),
            });
        }
        Some(Inside {
            stages,
            untraceable: self.untraceable.clone(),
            absent: self.absent.clone(),
        })
    }

    fn mark(&self, numbers: &[usize]) -> Option<StageMark> {
        let word = |number: usize| self.words.get(number).cloned();
        let ([process, stage, symbol], more) = numbers.split_first_chunk()?;
        let detail = match more {
            [] => None,
            [detail] => Some(word(*detail)?),
            _ => return None,
        };
        Some(StageMark {
            process: word(*process)?,
            stage: word(*stage)?,
            symbol: word(*symbol)?,
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Story, parse};
    use super::{LONGEST, MOST, Packed};

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
        assert_eq!(packed.unpack(&story.trail), Ok(story.inside));
    }

    /// Why a guest's story of that trail is refused, when `change` is done to it.
    fn refused(change: impl FnOnce(&mut Packed)) -> String {
        let story = story();
        let mut packed = Packed::new(&story.trail, &story.inside).unwrap();
        change(&mut packed);
        packed.unpack(&story.trail).unwrap_err()
    }

    #[test]
    fn a_step_stands_once() {
        let twice = |packed: &mut Packed| packed.points.push(vec![0]);
        assert!(refused(twice).contains("not those of its trail"));
    }

    #[test]
    fn a_story_of_too_many_points_is_not_unpacked() {
        let long = |packed: &mut Packed| packed.points = vec![vec![0, 0, 0]; LONGEST + 1];
        assert!(refused(long).contains("more than the limit"));
    }

    #[test]
    fn a_few_long_words_do_not_become_many() {
        let fat = |packed: &mut Packed| {
            packed.words[0] = "x".repeat(1 << 20);
            packed.points = vec![vec![0, 0, 0]; MOST >> 20];
        };
        assert!(refused(fat).contains("bytes, more than the limit"));
    }

    #[test]
    fn a_story_of_another_trail_is_not_packed() {
        let mut story = story();
        story.trail.steps.clear();
        assert_eq!(Packed::new(&story.trail, &story.inside), None);
    }
}

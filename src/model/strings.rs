//! Lists of strings as they travel between processes of a guest: of 240000 empty arguments, or of a hundred
//! kilobytes of one letter, a few bytes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// As many equal strings, one after the other.
#[derive(Serialize, Deserialize)]
struct Run {
    times: usize,
    /// How they begin.
    text: String,
    /// The character that each of them ends with, as many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tail: Option<(char, usize)>,
}

/// What is shorter than this is written as it is.
const SHORT: usize = 256;

impl Run {
    fn of(strings: &[String]) -> Option<Run> {
        let text = strings.first()?;
        let plain = Run {
            times: strings.len(),
            text: text.clone(),
            tail: None,
        };
        let bytes = text.as_bytes();
        let last = bytes.last().copied().filter(u8::is_ascii);
        let (Some(last), true) = (last, bytes.len() >= SHORT) else {
            return Some(plain);
        };
        // All bytes from a place on are alike when they are what they are one place further.
        let alike = |start: usize| bytes[start..bytes.len() - 1] == bytes[start + 1..];
        let (mut low, mut high) = (0, bytes.len() - 1);
        while low < high {
            let middle = (low + high) / 2;
            match alike(middle) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Some(Run {
            text: text[..low].to_owned(),
            tail: Some((char::from(last), bytes.len() - low)),
            ..plain
        })
    }

    fn string(&self) -> String {
        let mut text = self.text.clone();
        if let Some((character, times)) = self.tail {
            text.push_str(&character.to_string().repeat(times));
        }
        text
    }
}

/// Writes a list.
///
/// # Errors
///
/// What the form says.
pub fn serialize<S: Serializer>(strings: &[String], to: S) -> Result<S::Ok, S::Error> {
    let runs = strings.chunk_by(|one, next| one == next);
    runs.filter_map(Run::of).collect::<Vec<_>>().serialize(to)
}

/// Reads one.
///
/// # Errors
///
/// Nothing that [`serialize`] would have written.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let runs = Vec::<Run>::deserialize(from)?;
    let strings = runs.iter().map(|run| vec![run.string(); run.times]);
    Ok(strings.collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct List(#[serde(with = "super")] Vec<String>);

    /// What a list is written as, having come back as it was.
    fn written(list: &[&str]) -> String {
        let list: Vec<_> = list.iter().map(ToString::to_string).collect();
        let text = serde_json::to_string(&List(list.clone())).unwrap();
        let List(back) = serde_json::from_str(&text).unwrap();
        assert_eq!(back, list);
        text
    }

    #[test]
    fn equal_strings_are_counted() {
        let text = written(&["a", "", "", ""]);
        assert_eq!(text, r#"[{"times":1,"text":"a"},{"times":3,"text":""}]"#);
    }

    #[test]
    fn a_long_string_of_one_letter_is_short() {
        let text = written(&[&format!("V={}", "x".repeat(1000))]);
        assert_eq!(text, r#"[{"times":1,"text":"V=","tail":["x",1000]}]"#);
    }

    #[test]
    fn a_long_string_that_ends_otherwise_comes_back() {
        written(&[&format!("{}y", "x".repeat(1000)), &"é".repeat(200)]);
    }

    #[test]
    fn no_strings_come_back_as_none() {
        assert_eq!(written(&[]), "[]");
    }
}

//! What a program is told about itself: auxiliary vector, arguments, comm and exe link.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::field;

/// What a program found when it began to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// `AT_EXECFN` of getauxval(3).
    pub execfn: Option<String>,
    /// `AT_EXECFD`, which only binfmt_misc gives.
    pub execfd: Option<u64>,
    /// Where the descriptor of `AT_EXECFD` leads.
    pub execfd_path: Option<String>,
    /// Its comm (prctl(2), `PR_GET_NAME`).
    pub comm: String,
    /// Target of its own exe link; none where there is no `/proc`.
    pub exe: Option<String>,
    /// Its arguments.
    pub argv: Vec<String>,
}

/// What a process of a trail was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ToldTo {
    /// Name of the process.
    pub process: String,
    /// What it found.
    #[serde(flatten)]
    pub told: Told,
}

/// What stands before each field but the first.
const BEFORE: [&str; 4] = [" execfd=", " comm=", " exe=", " argv="];

impl Told {
    /// Names of the fields, as the trail's text has them.
    pub const FIELDS: [&'static str; 5] = ["execfn", "execfd", "comm", "exe", "argv"];

    /// Each field with its value as text.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, String); 5] {
        let execfd = self.execfd.map(|fd| match &self.execfd_path {
            Some(path) => format!("{fd} -> {path}"),
            None => fd.to_string(),
        });
        let one = |argument: &String| field::without(argument, '|');
        let arguments = match self.argv.as_slice() {
            [] => field::or_none(None).into_owned(),
            [alone] => field::or_none(Some(&one(alone))).into_owned(),
            all => all.iter().map(one).collect::<Vec<_>>().join(" | "),
        };
        let before = |value: &str, word| field::before(value, &[word]).into_owned();
        let or_none =
            |value: &Option<String>, word| before(&field::or_none(value.as_deref()), word);
        let [execfn, fd, comm, exe, argv] = Self::FIELDS;
        [
            (execfn, or_none(&self.execfn, BEFORE[0])),
            (fd, or_none(&execfd, BEFORE[1])),
            (comm, before(&self.comm, BEFORE[2])),
            (exe, or_none(&self.exe, BEFORE[3])),
            (argv, arguments),
        ]
    }
}

impl fmt::Display for ToldTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "told {}:", self.process)?;
        self.told
            .fields()
            .iter()
            .try_for_each(|(field, value)| write!(f, " {field}={value}"))
    }
}

impl ToldTo {
    /// Reads what `Display` wrote after the word `told`.
    #[must_use]
    pub(super) fn parse(rest: &str) -> Option<ToldTo> {
        let (process, rest) = rest.split_once(": execfn=")?;
        let (execfn, rest) = rest.split_once(BEFORE[0])?;
        let (execfd, rest) = rest.split_once(BEFORE[1])?;
        let (comm, rest) = rest.split_once(BEFORE[2])?;
        let (exe, argv) = rest.split_once(BEFORE[3])?;
        let (execfd, execfd_path) = match execfd.split_once(" -> ") {
            Some((fd, path)) => (Some(fd.parse().ok()?), Some(field::read(path))),
            None if execfd == field::NONE => (None, None),
            None => (Some(execfd.parse().ok()?), None),
        };
        let argv = match argv {
            field::NONE => Vec::new(),
            all => all.split(" | ").map(field::read).collect(),
        };
        Some(ToldTo {
            process: process.to_owned(),
            told: Told {
                execfn: field::read_or_none(execfn),
                execfd,
                execfd_path,
                comm: field::read(comm),
                exe: field::read_or_none(exe),
                argv,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_without_a_path_is_a_number() {
        let told = ToldTo::parse("p1: execfn=/a execfd=3 comm=a exe=/a argv=/a").unwrap();
        assert_eq!((told.told.execfd, told.told.execfd_path), (Some(3), None));
    }

    #[test]
    fn what_was_told_reads_back_as_it_was_written() {
        for text in [
            "p1: execfn=/a execfd=none comm=a exe=/a (deleted) argv=/a | -x",
            "p2: execfn=none execfd=3 -> /b comm=b c exe=none argv=",
            "p3: execfn=none execfd=none comm=c exe=/c argv=none",
        ] {
            let told = ToldTo::parse(text).unwrap();
            assert_eq!(told.to_string(), format!("told {text}"));
        }
    }

    fn read_back(change: impl Fn(&mut Told)) {
        let text = "p1: execfn=/a execfd=none comm=a exe=/a argv=/a";
        let mut to = ToldTo::parse(text).unwrap();
        change(&mut to.told);
        let text = to.to_string();
        let rest = text.strip_prefix("told ").unwrap();
        assert_eq!(ToldTo::parse(rest).as_ref(), Some(&to), "{text}");
    }

    #[test]
    fn an_empty_list_of_arguments_is_not_one_empty_argument() {
        read_back(|told| told.argv = Vec::new());
        read_back(|told| told.argv = vec![String::new()]);
        read_back(|told| told.argv = vec!["none".into()]);
    }

    #[test]
    fn arguments_that_look_like_several_read_back() {
        read_back(|told| told.argv = vec!["a | b".into(), "| c".into(), "|".into(), " ".into()]);
    }

    #[test]
    fn a_value_that_looks_like_another_field_reads_back() {
        read_back(|told| told.execfn = Some("none".into()));
        read_back(|told| told.execfn = Some("a execfd=3 comm=b".into()));
        read_back(|told| told.comm = "a exe=/b".into());
        read_back(|told| told.exe = Some("/a argv=b".into()));
        read_back(|told| {
            told.execfd = Some(3);
            told.execfd_path = Some("/a -> b comm=c".into());
        });
    }
}

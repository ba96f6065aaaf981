//! What a program is told about itself: auxiliary vector, arguments, comm and exe link.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// What stands for something that is not there.
const NONE: &str = "none";

impl Told {
    /// Names of the fields, as the trail's text has them.
    pub const FIELDS: [&'static str; 5] = ["execfn", "execfd", "comm", "exe", "argv"];

    /// Each field with its value as text.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, String); 5] {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.to_owned());
        let execfd = self.execfd.map(|fd| match &self.execfd_path {
            Some(path) => format!("{fd} -> {path}"),
            None => fd.to_string(),
        });
        let [execfn, fd, comm, exe, argv] = Self::FIELDS;
        [
            (execfn, or_none(&self.execfn)),
            (fd, or_none(&execfd)),
            (comm, self.comm.clone()),
            (exe, or_none(&self.exe)),
            (argv, self.argv.join(" | ")),
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
        let (execfn, rest) = rest.split_once(" execfd=")?;
        let (execfd, rest) = rest.split_once(" comm=")?;
        let (comm, rest) = rest.split_once(" exe=")?;
        let (exe, argv) = rest.split_once(" argv=")?;
        let some = |text: &str| (text != NONE).then(|| text.to_owned());
        let (execfd, execfd_path) = match execfd.split_once(" -> ") {
            Some((fd, path)) => (Some(fd.parse().ok()?), Some(path.to_owned())),
            None if execfd == NONE => (None, None),
            None => (Some(execfd.parse().ok()?), None),
        };
        let argv = argv.split(" | ").map(ToOwned::to_owned).collect();
        Some(ToldTo {
            process: process.to_owned(),
            told: Told {
                execfn: some(execfn),
                execfd,
                execfd_path,
                comm: comm.to_owned(),
                exe: some(exe),
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
        ] {
            let told = ToldTo::parse(text).unwrap();
            assert_eq!(told.to_string(), format!("told {text}"));
        }
    }
}

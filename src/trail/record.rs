//! The JSON of one scenario on one kernel.

use serde::{Deserialize, Serialize};

use super::{Agreement, Inside, Outcome, Trail};

/// Version of the record's form; a reader refuses what is newer.
pub const SCHEMA: u32 = 1;

/// One scenario on one kernel: what was seen and how it compares.
///
/// One line of `--format json`. The snapshot's text is a pure function of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// `family/name`.
    pub scenario: String,
    /// The kernel under test.
    pub kernel: KernelInfo,
    /// How the trail compares with the baseline.
    pub outcome: Outcome,
    /// Why, for what is unsupported or broken.
    pub reason: Option<String>,
    /// What was seen; empty for what is unsupported or broken.
    #[serde(flatten)]
    pub trail: Trail,
    /// How that agrees with the model; none where nothing was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Agreement>,
    /// Where inside the kernel each step falls.
    #[serde(flatten)]
    pub inside: Inside,
}

/// Which kernel, and where it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelInfo {
    /// The id in the kernel table, such as `6.12`.
    pub id: String,
    /// What uname(2) says, such as `6.12.107+deb13-cloud-amd64`.
    pub release: String,
    /// Where it ran.
    pub lab: Lab,
}

impl KernelInfo {
    /// What its column is called: the id, and `native` for the running kernel, whose id a kernel of
    /// the table may have as well.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.lab {
            Lab::Vm => &self.id,
            Lab::Native => "native",
        }
    }
}

/// Where scenarios run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lab {
    /// A kernel of the table in QEMU.
    Vm,
    /// The running kernel, in private namespaces.
    Native,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::{Ended, How, Mask, Started, Step};

    #[test]
    fn a_record_has_the_documented_form() {
        let record = Record {
            schema: SCHEMA,
            scenario: "start/shebang".into(),
            kernel: KernelInfo {
                id: "6.12".into(),
                release: "6.12.107".into(),
                lab: Lab::Vm,
            },
            outcome: Outcome::Same,
            reason: None,
            trail: Trail {
                started: vec![Started {
                    process: "p1".into(),
                    by: "launcher".into(),
                    call: Some("execve".into()),
                    path: Some("/a".into()),
                }],
                steps: vec![Step {
                    process: "p1".into(),
                    parent: "launcher".into(),
                    step: "execute".into(),
                    mask: Mask::EXECUTE,
                    exe: "/x".into(),
                    exe_link: true,
                    comm: "x".into(),
                    path: "/a".into(),
                    denied: None,
                }],
                ended: vec![Ended {
                    process: "p1".into(),
                    how: How::Exit(0),
                }],
                ..Trail::default()
            },
            model: None,
            inside: Inside::default(),
        };
        let json = concat!(
            r#"{"schema":1,"scenario":"start/shebang","kernel":{"id":"6.12","release":"6.12.107","#,
            r#""lab":"vm"},"outcome":"same","reason":null,"started":[{"process":"p1","by":"#,
            r#""launcher","call":"execve","path":"/a"}],"trail":[{"process":"p1","parent":"#,
            r#""launcher","step":"execute","mask":"0x40000","exe":"/x","exe_link":true,"#,
            r#""comm":"x","path":"/a"}],"ended":[{"process":"p1","exit":0}]}"#,
        );
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
        assert_eq!(serde_json::from_str::<Record>(json).unwrap(), record);
    }
}

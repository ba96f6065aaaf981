//! `vm/tools.toml`: tools of others that watch execs, and how their output is read. Only this file reads it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::word;
use crate::trail::KernelId;

/// The table of tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Kernels on which they are judged.
    pub kernels: Vec<KernelId>,
    /// The tools, in the order of their page.
    #[serde(rename = "tool")]
    pub tools: Vec<Tool>,
}

/// One tool with its adapter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// What it is called.
    pub name: String,
    /// Debian packages; the first one is the tool.
    pub packages: Vec<String>,
    /// Version of the first package, with which its reports were accepted.
    pub version: String,
    /// What it watches with.
    pub through: String,
    /// What of its lines differs from run to run, and why; its reports have none of it.
    pub chance: Option<String>,
    /// How it changes what it watches.
    pub changes: Option<String>,
    /// Why it misses what it misses, as sentences.
    pub explained: Option<String>,
    /// What it says last, where it does not work on any of the kernels.
    pub fails: Option<String>,
    /// How many seconds it may take until it is ready, where that is more than an agent's.
    pub ready: Option<u64>,
    /// What is started.
    command: String,
    /// How its output is read: a filter for jq(1).
    read: String,
}

/// What every filter may use.
const PRELUDE: &str = include_str!("tool.jq");
/// Starts the tool and its filter, and says when it is ready.
const SCRIPT: &str = include_str!("tool.sh");
/// The package of what reads.
const READER: &str = "jq";

impl Tools {
    /// Reads and checks a table; `file` names it in errors.
    ///
    /// # Errors
    ///
    /// What is wrong with the table, with the name of the tool.
    pub fn parse(text: &str, file: &str) -> Result<Tools> {
        let tools: Tools =
            toml::from_str(text).with_context(|| format!("failed to read {file}"))?;
        let mut names = BTreeSet::new();
        for tool in &tools.tools {
            let context = || format!("{file}: tool {}", tool.name);
            tool.check().with_context(context)?;
            if !names.insert(&tool.name) {
                bail!("{}: there are two of that name", context());
            }
        }
        Ok(tools)
    }

    /// The tool of that name.
    ///
    /// # Errors
    ///
    /// There is none, with the names that there are.
    pub fn find(&self, name: &str) -> Result<&Tool> {
        let found = self.tools.iter().find(|tool| tool.name == name);
        let names = self.tools.iter().map(|tool| tool.name.as_str());
        found.with_context(|| {
            let names: Vec<_> = names.collect();
            format!(
                "there is no tool {name}: vm/tools.toml has {}",
                names.join(", ")
            )
        })
    }
}

impl Tool {
    fn check(&self) -> Result<()> {
        word::package("name", &self.name)?;
        if self.packages.is_empty() {
            bail!("it has no package");
        }
        let mut packages = self.packages.iter();
        packages.try_for_each(|package| word::package("packages", package))
    }

    /// What a guest needs for it.
    #[must_use]
    pub fn all_packages(&self) -> Vec<String> {
        let reader = [READER.to_owned()];
        self.packages.iter().cloned().chain(reader).collect()
    }

    /// The version of its package among these files.
    #[must_use]
    pub fn version_among<'a>(&self, files: impl Iterator<Item = &'a str>) -> Option<String> {
        let mut versions = files.filter_map(|file| {
            let (name, rest) = file.strip_suffix(".deb")?.split_once('_')?;
            let (version, _) = rest.rsplit_once('_')?;
            // apt writes the colon of an epoch as %3a.
            (name == self.packages[0]).then(|| version.replace("%3a", ":"))
        });
        versions.next()
    }

    /// The tool with its adapter as one command for bash, which speaks the protocol of agents.
    #[must_use]
    pub fn agent(&self) -> String {
        let filter = format!("{PRELUDE}\n{}", self.read);
        SCRIPT
            .replace("{command}", self.command.trim())
            .replace("{filter}", &quoted(&filter))
    }
}

/// A word that bash takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: &str = "kernels = []\n[[tool]]\nname = \"a\"\npackages = [\"b\", \"c\"]\nversion = \"1\"\n\
        through = \"x\"\ncommand = \"a -v\"\nread = \"inputs | 'x'\"\n";

    fn tool() -> Tool {
        Tools::parse(TOOL, "t").unwrap().find("a").unwrap().clone()
    }

    #[test]
    fn the_table_of_this_project_is_read() {
        let tools = Tools::parse(include_str!("../../vm/tools.toml"), "vm/tools.toml").unwrap();
        assert!(tools.find("strace").is_ok());
    }

    #[test]
    fn a_tool_that_is_not_there_is_answered_with_those_that_are() {
        let error = Tools::parse(TOOL, "t")
            .unwrap()
            .find("b")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "there is no tool b: vm/tools.toml has a");
    }

    #[test]
    fn two_tools_of_one_name_are_refused() {
        let error = format!(
            "{:#}",
            Tools::parse(
                &(TOOL.to_owned() + TOOL.trim_start_matches("kernels = []")),
                "t"
            )
            .unwrap_err()
        );
        assert_eq!(error, "t: tool a: there are two of that name");
    }

    #[test]
    fn the_version_is_that_of_the_first_package() {
        let files = ["c_2_all.deb", "b_1%3a7-1_amd64.deb", "b-x_3_all.deb"];
        assert_eq!(
            tool().version_among(files.into_iter()).as_deref(),
            Some("1:7-1")
        );
    }

    #[test]
    fn a_filter_is_one_word_of_the_command() {
        let command = tool().agent();
        assert!(command.contains("a -v"), "{command}");
        assert!(command.contains(r"inputs | '\''x'\'''"), "{command}");
    }
}

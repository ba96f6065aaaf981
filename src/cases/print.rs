//! A case as a scenario file: what one keeps of it.

use std::fmt::{self, Write as _};

use super::{Case, Content, Made, Program, Start};

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "//! Found by a generated case: say here what it shows, and where that is from.\n"
        )?;
        let body = self.body();
        if body.contains("libc::") {
            writeln!(f, "use nix::libc;")?;
        }
        if body.contains("OFlag::") {
            writeln!(f, "use nix::fcntl::OFlag;")?;
        }
        if body.contains("setuid") {
            writeln!(
                f,
                "use nix::unistd::{{Gid, Uid, setgid, setgroups, setuid}};"
            )?;
        }
        let mut names = vec!["Exec", "Scenario", "Stage"];
        names.extend(
            ["Elf", "Flaw"]
                .into_iter()
                .filter(|name| body.contains(&format!("{name}::"))),
        );
        names.sort_unstable();
        writeln!(f, "\nuse crate::scenario::{{{}}};", names.join(", "))?;
        if body.contains("Act::") {
            writeln!(f, "use crate::wire::Act;")?;
        }
        writeln!(f, "\npub const SCENARIO: Scenario = Scenario {{")?;
        writeln!(
            f,
            "    summary: \"found by a generated case\",\n    run,\n    ..Scenario::DEFAULT\n}};\n"
        )?;
        writeln!(
            f,
            "fn run(stage: &mut Stage) -> anyhow::Result<()> {{\n{body}    Ok(())\n}}"
        )
    }
}

impl Case {
    fn body(&self) -> String {
        let mut body = String::new();
        for made in &self.files {
            let _ = writeln!(body, "    {}", made.line());
        }
        let _ = write!(body, "    let exec = {}", self.start.line());
        for argument in &self.arguments {
            let _ = write!(body, ".arg({argument:?})?");
        }
        for (name, value) in &self.variables {
            let _ = write!(body, ".env({name:?}, {value:?})?");
        }
        if self.user {
            body.push_str(
                ".before(|| {\n        setgroups(&[])?;\n        setgid(Gid::from_raw(65534))?;\n        \
                 Ok(setuid(Uid::from_raw(65534))?)\n    })",
            );
        }
        body.push_str(";\n");
        let _ = match self.refused {
            Some(nth) => writeln!(body, "    stage.refuse(&exec, Act::Deny, {nth}, \"...\")?;"),
            None => writeln!(body, "    stage.observe(&exec)?;"),
        };
        body
    }
}

impl Made {
    fn line(&self) -> String {
        let (name, mode) = (&self.name, self.mode);
        match &self.content {
            Content::Text(text) => {
                format!("stage.file({name:?}, {text:?}.as_bytes(), 0o{mode:o})?;")
            }
            Content::Program(program) => {
                format!(
                    "stage.file({name:?}, &{}.build(), 0o{mode:o})?;",
                    program.line()
                )
            }
            Content::Link(target) => format!("stage.link({target:?}, {name:?})?;"),
            Content::Directory => format!("stage.directory({name:?})?;"),
            Content::Copy(from) if mode == 0o755 => format!("stage.copy({from:?}, {name:?})?;"),
            Content::Copy(from) => {
                format!("stage.file({name:?}, &std::fs::read({from:?})?, 0o{mode:o})?;")
            }
        }
    }
}

impl Program {
    fn line(&self) -> String {
        let mut line = format!("Elf::{}()", if self.narrow { "new_32" } else { "new" });
        if let Some(bytes) = &self.interpreter {
            let _ = write!(line, ".interpreter_bytes({bytes:?}.as_bytes())");
        }
        for library in &self.needed {
            let _ = write!(line, ".needs({library:?})");
        }
        if let Some(path) = self.runpath {
            let _ = write!(line, ".runpath({path:?})");
        }
        if let Some(flaw) = self.flaw {
            let _ = write!(line, ".flaw(Flaw::{flaw:?})");
        }
        line
    }
}

impl Start {
    fn line(&self) -> String {
        match self {
            Start::Path(path) => format!("Exec::path({path:?})?"),
            Start::Opened(path) => format!("Exec::descriptor({path:?})?"),
            Start::Descriptor {
                path,
                path_only,
                cloexec,
                flags,
            } => {
                let mut open = vec!["OFlag::O_RDONLY"];
                open.extend(path_only.then_some("OFlag::O_PATH"));
                open.extend(cloexec.then_some("OFlag::O_CLOEXEC"));
                let open = open.join(" | ");
                format!(
                    "Exec::at(\"execveat\", \"fd 5\", 5, c\"\", libc::AT_EMPTY_PATH | {flags:#x})?\
                     .opened(5, {path:?}, {open})"
                )
            }
            Start::At {
                directory,
                path,
                flags,
            } => {
                let (fd, open) = match directory {
                    true => (
                        "5",
                        ".opened(5, \"/tmp\", OFlag::O_PATH | OFlag::O_CLOEXEC)",
                    ),
                    false => ("libc::AT_FDCWD", ""),
                };
                format!("Exec::at(\"execveat\", \"a path\", {fd}, c{path:?}, {flags:#x})?{open}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_printed_as_a_scenario() {
        let case = Case {
            files: vec![Made {
                name: "a".into(),
                content: Content::Text("#!/tmp/b\n".into()),
                mode: 0o755,
            }],
            start: Start::Path("/tmp/a".into()),
            arguments: Vec::new(),
            variables: Vec::new(),
            user: false,
            refused: None,
        };
        let text = case.to_string();
        assert!(text.starts_with("//! "), "{text}");
        assert!(
            text.contains(
                "    stage.file(\"a\", \"#!/tmp/b\\n\".as_bytes(), 0o755)?;\n    \
                 let exec = Exec::path(\"/tmp/a\")?;\n    stage.observe(&exec)?;\n"
            ),
            "{text}"
        );
    }
}

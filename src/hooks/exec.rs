//! What an exec passes: every function with an argument that leads to a path or a process.
//!
//! The guest traces execs with the function graph, [`passed`] reads which functions all of them pass, and
//! BTF says what those are given ([`crate::btf`]). Nothing is chosen by hand but [`STRUCTS`].

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The structs that say something of an exec, and what a probe reads there beside the pid, which is that of
/// the thread that runs. The best comes first: a function stands with the first that it is given.
pub const STRUCTS: [(&str, &str); 5] = [
    (
        "linux_binprm",
        "path as passed, script and interpreter, and by `file` the full path",
    ),
    (
        "file",
        "full path of a file: its dentry and mount, or `bpf_d_path`",
    ),
    (
        "path",
        "full path of a file: its dentry and mount, or `bpf_d_path`",
    ),
    ("filename", "path as passed"),
    (
        "task_struct",
        "ids, comm, exe and working directory of a process",
    ),
];

/// A function that an exec passes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the kernel's text.
    pub function: String,
    /// Its arguments that are a pointer to one of [`STRUCTS`], by position and type: `1 struct file *file`.
    pub arguments: Vec<String>,
    /// The first of [`STRUCTS`] that is among them.
    pub leads: String,
    /// The ways by which it can be hooked.
    pub ways: Vec<String>,
}

/// The functions that each of several traces has, in the order of the first.
#[must_use]
pub fn passed(traces: &[String]) -> Vec<String> {
    let Some((first, rest)) = traces.split_first() else {
        return Vec::new();
    };
    let rest: Vec<BTreeSet<&str>> = rest
        .iter()
        .map(|trace| functions(trace).collect())
        .collect();
    let mut seen = BTreeSet::new();
    let all = functions(first).filter(|name| rest.iter().all(|other| other.contains(name)));
    all.filter(|name| seen.insert(*name))
        .map(ToOwned::to_owned)
        .collect()
}

/// Lines `name() {` and `name();` of a function graph without its columns.
fn functions(trace: &str) -> impl Iterator<Item = &str> {
    trace.lines().filter_map(|line| {
        let line = line.trim_start();
        let (name, rest) = line.split_once('(')?;
        let is_call = rest.ends_with('{') || rest.ends_with(';');
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
        // A function of a module has it in brackets behind its name.
        let name = name.split(' ').next()?;
        (is_call && !name.is_empty() && name.chars().all(is_name)).then_some(name)
    })
}

/// What of a function's parameters leads anywhere; none where nothing does.
#[must_use]
pub fn leads(parameters: &[String]) -> Option<(Vec<String>, &'static str)> {
    let given = |parameter: &str| {
        let parameter = parameter.strip_prefix("const ").unwrap_or(parameter);
        let (name, rest) = parameter.strip_prefix("struct ")?.split_once(' ')?;
        let is_pointer = rest.starts_with('*') && !rest.starts_with("**");
        STRUCTS
            .iter()
            .position(|(known, _)| is_pointer && *known == name)
    };
    let numbered = (1..).zip(parameters);
    let found = numbered.filter_map(|(number, parameter)| {
        given(parameter).map(|which| (which, format!("{number} {parameter}")))
    });
    let found: Vec<_> = found.collect();
    let best = found.iter().map(|(which, _)| *which).min()?;
    let arguments = found.into_iter().map(|(_, argument)| argument);
    Some((arguments.collect(), STRUCTS[best].0))
}

/// The page: for each struct a table of functions, with the kernels on which execs pass them.
#[must_use]
pub fn page(kernels: &[(String, Vec<Step>)]) -> String {
    let mut text = PROSE.to_owned();
    for (name, read) in STRUCTS {
        let mut rows: Vec<(&Step, Vec<&str>)> = Vec::new();
        for (kernel, steps) in kernels {
            for step in steps.iter().filter(|step| step.leads == name) {
                match rows.iter_mut().find(|(known, _)| *known == step) {
                    Some((_, on)) => on.push(kernel),
                    None => rows.push((step, vec![kernel])),
                }
            }
        }
        rows.sort_by(|one, other| one.0.cmp(other.0));
        let mut functions: Vec<_> = rows.iter().map(|(step, _)| &step.function).collect();
        functions.dedup();
        // Writing into memory does not fail, here and below.
        let _ = writeln!(
            text,
            "\n## `struct {name}`\n\n{read}. {} functions.\n\n| function | arguments | ways | kernels |\n|---|---|---|---|",
            functions.len()
        );
        for (step, on) in rows {
            let on = match on.len() == kernels.len() {
                true => "all".to_owned(),
                false => on.join(" "),
            };
            let arguments: Vec<_> = step
                .arguments
                .iter()
                .map(|one| format!("`{one}`"))
                .collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {on} |",
                step.function,
                arguments.join(", "),
                step.ways.join(", ")
            );
        }
    }
    text
}

const PROSE: &str = include_str!("exec.md");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_each_trace_is_passed_once_and_in_order() {
        let traces = [
            "# x\n  b() {\n    a();\n    irq();\n    a();\n  } /* b */\n".to_owned(),
            "  b() {\n  a [overlay]();\n  }\n".to_owned(),
        ];
        assert_eq!(passed(&traces), ["b", "a"]);
    }

    #[test]
    fn a_comment_and_the_end_of_a_function_are_none() {
        let text = "  /* sched_switch() */\n  } /* b */\n  smp_apic ===> |\n";
        assert_eq!(passed(&[text.to_owned()]), [""; 0]);
    }

    fn leads_to(parameters: &[&str]) -> Option<(Vec<String>, &'static str)> {
        let parameters: Vec<_> = parameters.iter().map(ToString::to_string).collect();
        leads(&parameters)
    }

    #[test]
    fn the_best_of_the_arguments_is_what_a_function_leads_to() {
        let (arguments, name) =
            leads_to(&["struct task_struct *p", "int x", "const struct path *path"]).unwrap();
        assert_eq!(name, "path");
        assert_eq!(
            arguments,
            ["1 struct task_struct *p", "3 const struct path *path"]
        );
    }

    #[test]
    fn another_struct_a_pointer_to_a_pointer_and_a_value_lead_nowhere() {
        assert_eq!(leads_to(&["struct inode *i"]), None);
        assert_eq!(leads_to(&["struct file **f"]), None);
        assert_eq!(leads_to(&["struct path path"]), None);
    }

    #[test]
    fn a_function_has_a_row_for_each_form_that_it_has() {
        let step = |argument: &str| Step {
            function: "f".into(),
            arguments: vec![argument.into()],
            leads: "file".into(),
            ways: vec!["kprobe".into()],
        };
        let kernels = [
            ("1".to_owned(), vec![step("1 struct file *a")]),
            ("2".to_owned(), vec![step("2 struct file *a")]),
        ];
        let text = page(&kernels);
        assert!(
            text.contains("| `f` | `1 struct file *a` | kprobe | 1 |\n"),
            "{text}"
        );
        assert!(text.contains("1 functions"), "{text}");
        let alike = [kernels[0].clone(), ("2".to_owned(), kernels[0].1.clone())];
        assert!(page(&alike).contains("| kprobe | all |\n"));
    }
}

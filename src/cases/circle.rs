//! A file that env(1) interprets without being given an argument is what env(1) executes next, and so for ever:
//! that is no case but a machine's whole time.

use crate::case::Case;
use crate::model::{Image, first_line};

const ENV: &str = "/usr/bin/env";
/// How many names may lead to a file.
const LONGEST: usize = 8;

/// Gives such a script an argument, and such a format of binfmt_misc another interpreter.
pub(super) fn break_up(case: &mut Case) {
    for at in 0..case.files.len() {
        let Some(text) = &case.files[at].text else {
            continue;
        };
        if let Some((interpreter, None)) = first_line(&Image::of(text.as_bytes()).head)
            && is_env(&interpreter, case)
        {
            let argued = text.replacen(&interpreter, &format!("{interpreter} true"), 1);
            case.files[at].text = Some(argued);
        }
    }
    for at in 0..case.formats.len() {
        let fields: Vec<&str> = case.formats[at].rule.rsplitn(3, ':').collect();
        if let [flags, interpreter, what] = fields[..]
            && is_env(interpreter, case)
        {
            case.formats[at].rule = format!("{what}:/usr/bin/true:{flags}");
        }
    }
}

/// Whether this path leads to env(1), or to a copy of it.
fn is_env(path: &str, case: &Case) -> bool {
    let directory = case.exec.directory.as_deref().unwrap_or("/");
    let mut path = whole(path, directory);
    for _ in 0..LONGEST {
        if path == ENV {
            return true;
        }
        let Some(made) = case.files.iter().find(|made| made.path == path) else {
            return false;
        };
        if made.copy.as_deref() == Some(ENV) {
            return true;
        }
        let Some(next) = made.symlink.as_ref().or(made.hardlink.as_ref()) else {
            return false;
        };
        let (above, _) = path.rsplit_once('/').unwrap_or_default();
        path = whole(next, above);
    }
    false
}

/// The path without `.`, `..` and empty names; what is relative begins in a directory.
fn whole(path: &str, directory: &str) -> String {
    let begin = if path.starts_with('/') { "" } else { directory };
    let mut names: Vec<&str> = begin.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/') {
        match name {
            "" | "." => (),
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Made, Registered};

    fn file(path: &str, change: impl FnOnce(&mut Made)) -> Made {
        let mut made = Made {
            path: path.to_owned(),
            ..Made::default()
        };
        change(&mut made);
        made
    }

    fn script(text: &str) -> Made {
        file("/tmp/a", |made| made.text = Some(text.to_owned()))
    }

    /// What becomes of `/tmp/a` with this text.
    fn broken_up(text: &str, others: &[Made]) -> String {
        let mut case = Case {
            files: [&[script(text)], others].concat(),
            ..Case::default()
        };
        break_up(&mut case);
        case.files[0].text.clone().expect("it is a text")
    }

    #[test]
    fn env_is_given_an_argument() {
        let told = broken_up("#! /usr/bin/env\n:\n", &[]);
        assert_eq!(told, "#! /usr/bin/env true\n:\n");
    }

    #[test]
    fn env_by_a_long_name_is_given_an_argument() {
        let told = broken_up("#!/tmp/./../usr//bin/env", &[]);
        assert_eq!(told, "#!/tmp/./../usr//bin/env true");
    }

    #[test]
    fn env_with_an_argument_stays() {
        assert_eq!(broken_up("#!/usr/bin/env x\n", &[]), "#!/usr/bin/env x\n");
    }

    #[test]
    fn another_interpreter_stays() {
        assert_eq!(broken_up("#!/usr/bin/ls\n", &[]), "#!/usr/bin/ls\n");
    }

    #[test]
    fn a_copy_is_env() {
        let copy = file("/tmp/b", |made| made.copy = Some(ENV.to_owned()));
        assert_eq!(broken_up("#!/tmp/b\n", &[copy]), "#!/tmp/b true\n");
    }

    #[test]
    fn a_relative_name_begins_where_the_caller_is() {
        let copy = file("/tmp/b", |made| made.copy = Some(ENV.to_owned()));
        let mut case = Case {
            files: vec![script("#!tmp/b\n"), copy],
            ..Case::default()
        };
        break_up(&mut case);
        assert_eq!(case.files[0].text.as_deref(), Some("#!tmp/b true\n"));
        case.files[0] = script("#!b\n");
        break_up(&mut case);
        assert_eq!(case.files[0].text.as_deref(), Some("#!b\n"));
        case.exec.directory = Some("/tmp".to_owned());
        break_up(&mut case);
        assert_eq!(case.files[0].text.as_deref(), Some("#!b true\n"));
    }

    #[test]
    fn a_symlink_to_another_name_is_env() {
        let link = file("/tmp/b", |made| made.symlink = Some("m/program".to_owned()));
        let copy = file("/tmp/m/program", |made| made.copy = Some(ENV.to_owned()));
        let name = file("/tmp/c", |made| made.hardlink = Some("/tmp/b".to_owned()));
        assert_eq!(
            broken_up("#!/tmp/c\n", &[link, copy, name]),
            "#!/tmp/c true\n"
        );
    }

    #[test]
    fn a_symlink_to_itself_ends() {
        let link = file("/tmp/b", |made| made.symlink = Some("/tmp/b".to_owned()));
        assert_eq!(broken_up("#!/tmp/b\n", &[link]), "#!/tmp/b\n");
    }

    #[test]
    fn a_format_has_another_interpreter() {
        let rule = |rule: &str| Registered {
            name: "one".to_owned(),
            rule: rule.to_owned(),
        };
        let mut case = Case {
            formats: vec![
                rule("E::exe::/usr/bin/env:PF"),
                rule("E::exe::/usr/bin/ls:"),
            ],
            ..Case::default()
        };
        break_up(&mut case);
        let rules: Vec<&str> = case.formats.iter().map(|one| one.rule.as_str()).collect();
        assert_eq!(rules, ["E::exe::/usr/bin/true:PF", "E::exe::/usr/bin/ls:"]);
    }
}

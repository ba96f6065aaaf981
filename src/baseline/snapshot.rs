//! The text of one snapshot file: insta's header, then a view's text.

use anyhow::{Context as _, Result, anyhow, bail};

use crate::view::ViewName;

/// Takes the view's text out of a snapshot file; `file` names it in errors.
///
/// # Errors
///
/// A file that insta would not have written, or whose text is no whole one of the view: a damaged snapshot
/// must not pass for a claim about a kernel.
pub fn read_snapshot(content: &str, file: &str, view: ViewName) -> Result<String> {
    let text = body(content).with_context(|| damaged(file))?;
    let known = view.view().context("there is no such view")?;
    let parsed = known.parse(&text).with_context(|| damaged(file))?;
    // What a view reads and does not write would be lost, or said twice, without a word.
    let written = known.text(&parsed);
    if written.trim_matches('\n') != text.trim_matches('\n') {
        return Err(anyhow!("it is not as its view writes it")).with_context(|| damaged(file));
    }
    Ok(text)
}

fn damaged(file: &str) -> String {
    format!("failed to read {file}: the snapshot is damaged, restore it with git checkout")
}

fn body(content: &str) -> Result<String> {
    let Some(rest) = content.strip_prefix("---\n") else {
        bail!("it does not begin with insta's header (---)");
    };
    let Some((_, body)) = rest.split_once("\n---\n") else {
        bail!("insta's header has no end (---)");
    };
    if !body.ends_with('\n') {
        bail!("its last line is cut");
    }
    Ok(format!("{}\n", body.trim_matches('\n')))
}

#[cfg(test)]
mod tests {
    use super::Result;
    use crate::view::TRAIL;

    fn read_snapshot(content: &str, file: &str) -> Result<String> {
        super::read_snapshot(content, file, TRAIL)
    }

    const GOOD: &str = "---\nsource: harness/main.rs\n---\nstart p1 by launcher: execve /a\n\
                        end p1: exit 0\n";

    #[test]
    fn the_header_is_not_part_of_the_text() {
        let text = read_snapshot(GOOD, "x.snap").unwrap();
        assert_eq!(text, "start p1 by launcher: execve /a\nend p1: exit 0\n");
    }

    #[test]
    fn a_file_cut_in_the_header_is_damaged() {
        assert!(read_snapshot(&GOOD[..10], "x.snap").is_err());
    }

    #[test]
    fn a_file_cut_in_a_line_is_damaged() {
        assert!(read_snapshot(&GOOD[..GOOD.len() - 3], "x.snap").is_err());
    }

    #[test]
    fn a_line_that_is_out_of_its_place_is_damage() {
        let late = "fact a: b\nperm=open    pid=p1 ppid=launcher exe=/x comm=x : path=/a\n";
        let text = GOOD.replace("start", &format!("{late}start"));
        let error = read_snapshot(&text, "x.snap").unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error:#}");
        let twice = GOOD.replace("end p1", "end p1: exit 0\nhang: x\nend p1");
        let error = read_snapshot(&twice, "x.snap").unwrap_err();
        assert!(
            format!("{error:#}").contains("as its view writes"),
            "{error:#}"
        );
    }

    #[test]
    fn an_error_names_the_file_and_the_line() {
        let error = read_snapshot(&GOOD.replace("end p1", "ned p1"), "x.snap").unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("x.snap") && text.contains("line 2"), "{text}");
    }
}

//! The first line of a script: `load_script` in fs/binfmt_script.c.

use super::reach::Rule;

/// Interpreter and argument of a `#!` line; none when this is not a script.
///
/// `load_script` line by line, since 5.0: only the first 256 bytes count, and a line that does not
/// end in them must at least end its interpreter's name there.
pub fn first_line(head: &[u8]) -> Option<(String, Option<String>)> {
    let blank = |at: &usize| matches!(head[*at], b' ' | b'\t');
    let ends = |at: &usize| blank(at) || head[*at] == 0;
    let last = head.len() - 1;
    let newline = head.iter().position(|byte| matches!(byte, b'\n' | 0));
    if !head.starts_with(b"#!") {
        return None;
    }
    let mut end = match newline.filter(|at| head[*at] == b'\n') {
        Some(end) => end,
        None => {
            Rule::ScriptCut.applies(true);
            let name = (2..=last).find(|at| !blank(at))?;
            (name..=last).find(ends)?;
            last
        }
    };
    while blank(&(end - 1)) {
        end -= 1;
    }
    let name = (2..=end)
        .find(|at| !blank(at))
        .filter(|name| *name != end)?;
    let behind = (name..=end).find(ends);
    let argument = behind
        .filter(|at| head[*at] != 0)
        .and_then(|at| (at..=end).find(|at| !blank(at)))
        .filter(|at| *at != end);
    // Strings of the kernel end at a NUL.
    let text = |from: usize, to: usize| {
        let text = &head[from..to];
        let nul = text.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&text[..nul.unwrap_or(text.len())]).into_owned()
    };
    let stop = behind.unwrap_or(end);
    Some((text(name, stop), argument.map(|from| text(from, end))))
}

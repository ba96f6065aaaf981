//! What a user asks of it: a command, a part of what happens, and an end.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::heard::Heard;
use crate::rig::{HANGS, Rig, Storm, Watch, reap};

/// Of a command its tree alone is shown, and its status is the monitor's.
pub fn command_alone(rig: &Rig) -> Result<()> {
    let (path, output) = output(rig, "command")?;
    let storm = Storm::start(rig);
    let mut command = Watch::command(&["--format", "json"], &rig.watched());
    command.args(["--", "/bin/sh", "-c", "\"$1\"; exit 5", "sh"]);
    command.arg(rig.way(0));
    let mut watch = Watch::of(command, output)?;
    let status = watch.wait_status()?;
    let said = watch.said()?;
    storm.end()?;
    ensure!(status.code() == Some(5), "it ended with {status}: {said}");
    executes(&path, rig.way(0)).map(drop)
}

/// It ends by itself after so many lines.
pub fn counted(rig: &Rig) -> Result<()> {
    let (path, output) = output(rig, "counted")?;
    let mut watch = Watch::start(rig, &["--format", "json", "--count", "3"], output)?;
    let storm = Storm::start(rig);
    let status = watch.wait_status()?;
    storm.end()?;
    ensure!(status.success(), "it ended with {status}");
    let lines = lines(&path)?;
    ensure!(lines.len() == 3, "it wrote {lines:?}");
    Ok(())
}

/// One process is shown with what it starts, and each line has the thread where that is asked for.
pub fn one_process(rig: &Rig) -> Result<()> {
    let (path, output) = output(rig, "process")?;
    let shell = Shell::start(rig)?;
    let pid = shell.0.id();
    let args = ["--format", "json", "--tid", "--pid", &pid.to_string()];
    let watch = Watch::start(rig, &args, output)?;
    let storm = Storm::start(rig);
    shell.run()?;
    storm.end()?;
    watch.end(Signal::SIGTERM)?;
    let line = executes(&path, rig.way(1))?;
    ensure!(line["tid"] == line["pid"], "another thread: {line}");
    ensure!(line["ppid"] == pid || line["pid"] == pid, "whose is {line}");
    Ok(())
}

/// Lines of one program alone are shown.
pub fn one_program(rig: &Rig) -> Result<()> {
    let (path, output) = output(rig, "program")?;
    let shell = Shell::start(rig)?;
    let exe = std::fs::read_link(format!("/proc/{}/exe", shell.0.id()));
    let exe = exe.context("failed to find the shell's program")?;
    let exe = exe.to_str().context("no UTF-8")?.to_owned();
    let watch = Watch::start(rig, &["--format", "json", "--exe", &exe], output)?;
    let storm = Storm::start(rig);
    shell.run()?;
    storm.end()?;
    watch.end(Signal::SIGTERM)?;
    let line = executes(&path, rig.way(1))?;
    ensure!(line["exe"] == exe, "another program: {line}");
    Ok(())
}

/// Who signals guard and monitor at once, as a service manager does, asks the command to end and does not kill it.
pub fn signalled_at_once(rig: &Rig) -> Result<()> {
    let (reader, writer) = std::io::pipe().context("failed to make a pipe")?;
    let mut command = Watch::command(&[], &rig.watched());
    let script = "trap 'exit 7' TERM; \"$1\"; while :; do sleep 0.02; done";
    command.args(["--", "/bin/sh", "-c", script, "sh"]);
    command.arg(rig.way(0));
    let mut watch = Watch::of(command, writer.into())?;
    // The program is started when the trap is set.
    let mut lines = Heard::new(reader, HANGS);
    ensure!(lines.line()?.ends_with('\n'), "no line");
    watch.kill_monitor(Signal::SIGTERM)?;
    watch.kill(Signal::SIGTERM);
    let status = watch.wait_status()?;
    let said = watch.said()?;
    ensure!(status.code() == Some(7), "it ended with {status}: {said}");
    Ok(())
}

/// A shell that starts a program when it is told to.
struct Shell(Child);

impl Shell {
    fn start(rig: &Rig) -> Result<Shell> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read line; \"$1\"; exit 0", "sh"]);
        shell.arg(rig.way(1)).stdin(Stdio::piped());
        Ok(Shell(shell.spawn().context("failed to start a shell")?))
    }

    fn run(mut self) -> Result<()> {
        let mut input = self.0.stdin.take().context("no input")?;
        input.write_all(b"\n").context("failed to tell the shell")?;
        let status = reap(&mut self.0).context("the shell does not end")?;
        ensure!(status.success(), "the shell ended with {status}");
        Ok(())
    }
}

/// Where lines go.
fn output(rig: &Rig, name: &str) -> Result<(PathBuf, Stdio)> {
    let path = rig.place(name);
    let file = std::fs::File::create(&path).context("failed to make the output file")?;
    Ok((path, file.into()))
}

/// The one line of an execution that was written, of this program.
fn executes(path: &PathBuf, program: PathBuf) -> Result<Value> {
    let lines = lines(path)?;
    let mut executes = lines.iter().filter(|line| line["perm"] == "execute");
    let (first, second) = (executes.next(), executes.next());
    ensure!(first.is_some() && second.is_none(), "it wrote {lines:?}");
    let line = first.context("no line")?.clone();
    ensure!(line["path"] == *program.to_string_lossy(), "{line}");
    Ok(line)
}

/// The lines of events that were written.
fn lines(path: &PathBuf) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).context("failed to read the output")?;
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<_> = lines.collect::<Result<_, _>>().context("no JSON")?;
    let events = lines.into_iter().filter(|line| line.get("perm").is_some());
    Ok(events.collect())
}

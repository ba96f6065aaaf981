//! Caches and the states in them that are not as they were kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use libtest_mimic::Failed;
use sha2::{Digest as _, Sha256};

use super::lab::{Check, Lab, SCENARIOS, Seen, options, traced};

pub const TRIALS: [(&str, Check); 5] = [
    ("state_is_cut", state_is_cut),
    ("state_ends_early", state_ends_early),
    ("state_of_another_qemu", state_of_another_qemu),
    ("state_of_another_machine", state_of_another_machine),
    ("cache_takes_no_state", cache_takes_no_state),
];

/// Those that call the command in namespaces of its own.
pub const ISOLATED: [(&str, Check); 5] = [
    ("cache_is_read_only", cache_is_read_only),
    ("cache_is_full", cache_is_full),
    ("cache_is_foreign", cache_is_foreign),
    ("cache_is_shared", cache_is_shared),
    ("maker_of_a_state_is_killed", maker_of_a_state_is_killed),
];

/// Runs the scenarios on a cache of its own, once to have a state, then with harm done to it; returns
/// what was said of the state then.
fn with_state(lab: &Lab, harm: impl FnOnce(&Path) -> Result<()>) -> Result<Seen, Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    let project = lab.with_cache(dir.path())?;
    let boot = || lab.boot_in(&project, &SCENARIOS, lab.target(), options(), &mut |_| {});
    boot()?.check_all_same(&[])?;
    let states = exetrail::files::list(&dir.path().join("warm"))?;
    let [state] = states.as_slice() else {
        return Err(format!("{} states instead of one", states.len()).into());
    };
    harm(state)?;
    Ok(boot()?)
}

/// A state that was cut is none: it is said, and another one is made.
fn state_is_cut(lab: &Lab) -> Result<(), Failed> {
    let seen = with_state(lab, |state| {
        let memory = fs::File::options().write(true).open(state.join("memory"))?;
        Ok(memory.set_len(4096)?)
    })?;
    seen.check_all_same(&["is made anew", "memory is damaged", "it has 4096 bytes"])
}

/// A state whose checksums are right, and which QEMU takes for none.
fn with_machine(lab: &Lab, harm: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failed> {
    let seen = with_state(lab, |state| {
        let (machine, description) = (state.join("machine"), state.join("warm.json"));
        let mut bytes = fs::read(&machine)?;
        harm(&mut bytes);
        fs::write(&machine, &bytes)?;
        let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&description)?)?;
        let digest = Sha256::digest(&bytes);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json["contents"]["machine"] = serde_json::json!({ "size": bytes.len(), "sha256": digest });
        Ok(fs::write(&description, json.to_string())?)
    })?;
    seen.check_all_same(&["does not restore and is made anew"])
}

fn state_ends_early(lab: &Lab) -> Result<(), Failed> {
    with_machine(lab, |bytes| bytes.truncate(bytes.len() / 2))
}

/// QEMU names its machine in the first section (`QEMU_VM_CONFIGURATION` in migration/savevm.c), and
/// takes no other.
fn state_of_another_qemu(lab: &Lab) -> Result<(), Failed> {
    with_machine(lab, |bytes| {
        let length = usize::from(bytes[12]);
        bytes[13..13 + length].fill(b'x');
    })
}

/// One that was saved where the counter runs at another rate, in a cache that came from there, would have a wrong clock.
fn state_of_another_machine(lab: &Lab) -> Result<(), Failed> {
    let seen = with_state(lab, |state| {
        let description = state.join("warm.json");
        let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&description)?)?;
        json["counter"] = serde_json::json!(100_000_000);
        Ok(fs::write(&description, json.to_string())?)
    })?;
    seen.check_all_same(&["is made anew", "time stamp counter has 100000 MHz, not "])
}

/// A cache that takes no state costs the state alone.
fn cache_takes_no_state(lab: &Lab) -> Result<(), Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    let project = lab.with_cache(dir.path())?;
    // A file where a directory has to be: nothing can be made there.
    fs::write(dir.path().join("partial"), "").context("failed to write a file")?;
    let seen = lab.boot_in(&project, &SCENARIOS, lab.target(), options(), &mut |_| {})?;
    seen.check_all_same(&["no warm state of", "is kept", "partial"])?;
    // One of them has no stages, and a guest of its own: that is not tried, nor told, again.
    let names = [SCENARIOS[0], SCENARIOS[1], "identity/argv0"];
    let seen = lab.boot_in(
        &project,
        &names,
        lab.target(),
        traced(options()),
        &mut |_| {},
    )?;
    seen.check_all_same(&["no warm state of"])?;
    match seen.notes.as_slice() {
        [_] => Ok(()),
        notes => Err(format!("{notes:?} was said").into()),
    }
}

/// The command on one scenario with this cache, after what a shell does to it: `$0` is the cache, `$@` the
/// command.
fn shell(lab: &Lab, cache: &Path, namespaces: &[&str], script: &str) -> Command {
    let mut command = isolated(cache, namespaces, script);
    command.args(["run", SCENARIOS[0], "--observe", "trail", "-k"]);
    command.arg(lab.target().label());
    command
}

/// The same without the command's arguments.
pub fn isolated(cache: &Path, namespaces: &[&str], script: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount"])
        .args(namespaces)
        .args(["/bin/sh", "-ec", script]);
    command.arg(cache).arg(env!("CARGO_BIN_EXE_exetrail"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("EXETRAIL_CACHE", cache)
        // One scenario is not everything.
        .env_remove("EXETRAIL_REQUIRE")
        .stdin(Stdio::null());
    command
}

/// It is the same, and this was said on standard error; no note at all where it is empty.
fn check_same(output: &Output, said: &[&str]) -> Result<(), Failed> {
    let text = String::from_utf8_lossy(&output.stderr);
    let missing = said.iter().find(|part| !text.contains(**part));
    let unwanted = said.is_empty() && text.contains("note: ");
    match output.status.success() && missing.is_none() && !unwanted {
        true => Ok(()),
        false => Err(format!(
            "{}, {said:?} wanted: {text}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout)
        )
        .into()),
    }
}

/// A cache that cannot be written costs a boot where it has no state, and nothing where it has one.
fn cache_is_read_only(lab: &Lab) -> Result<(), Failed> {
    let script = "mount --bind \"$0\" \"$0\"; mount -o remount,bind,ro \"$0\"; exec \"$@\"";
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    lab.with_cache(dir.path())?;
    let run = |script| shell(lab, dir.path(), &[], script).output();
    let output = run(script).context("failed to run the command")?;
    check_same(
        &output,
        &["no warm state of", "is kept", "Read-only file system"],
    )?;
    check_same(
        &run("exec \"$@\"").context("failed to run the command")?,
        &[],
    )?;
    check_same(&run(script).context("failed to run the command")?, &[])
}

/// No room for what QEMU writes, then for the memory: nothing is kept, and the kernel is booted.
fn cache_is_full(lab: &Lab) -> Result<(), Failed> {
    for size in ["128k", "8m"] {
        let dir = tempfile::tempdir().context("failed to make a directory")?;
        let real = tempfile::tempdir().context("failed to make a directory")?;
        lab.with_cache(real.path())?;
        let script = format!(
            "mount -t tmpfs -o size={size} none \"$0\"; cp -d {}/* \"$0\"; \"$@\"; for place in partial warm; do [ ! -d \"$0/$place\" ] || ls -A \"$0/$place\" >&2; done",
            real.path().display()
        );
        let output = shell(lab, dir.path(), &[], &script).output();
        let output = output.context("failed to run the command")?;
        check_same(&output, &["no warm state of", "is kept"])?;
        let text = String::from_utf8_lossy(&output.stderr);
        let text: String = text
            .lines()
            .filter(|line| !line.contains("note: "))
            .collect();
        if text.contains("work-") || text.contains(&format!("{}-", lab.target().label())) {
            return Err(format!("something is left: {text}").into());
        }
    }
    Ok(())
}

/// Nothing of a cache is used that others may change, or that is another's.
fn cache_is_foreign(lab: &Lab) -> Result<(), Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    lab.with_cache(dir.path())?;
    let refused = |why: &str| -> Result<(), Failed> {
        let output = shell(lab, dir.path(), &[], "exec \"$@\"").output();
        let output = output.context("failed to run the command")?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() == Some(2) && said.contains(why) {
            true => Ok(()),
            false => Err(format!("{why} wanted: {}: {said}", output.status).into()),
        }
    };
    let mode = fs::Permissions::from_mode(0o777);
    fs::set_permissions(dir.path(), mode).context("failed to open it to all")?;
    refused("everybody may write to")?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), mode).context("failed to close it")?;
    // Only root can give a directory away.
    if nix::unistd::geteuid().is_root() {
        let other = Some(nix::unistd::Uid::from_raw(65534));
        nix::unistd::chown(dir.path(), other, None).context("failed to give it away")?;
        refused("belongs to user 65534")?;
    }
    Ok(())
}

/// Two containers with one cache make the same state at once, and each restores one that is whole.
fn cache_is_shared(lab: &Lab) -> Result<(), Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    lab.with_cache(dir.path())?;
    let container = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let both = [0, 1].map(|_| {
        let mut command = shell(lab, dir.path(), &container, "exec \"$@\"");
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    });
    for child in both {
        let output = child.and_then(Child::wait_with_output);
        check_same(&output.context("failed to run the command")?, &[])?;
    }
    let left = ["warm", "partial"].map(|name| exetrail::files::list(&dir.path().join(name)));
    let [states, work] = left;
    match (states?.len(), work?.len()) {
        (1, 0) => Ok(()),
        (states, work) => Err(format!("{states} states, {work} that are unfinished").into()),
    }
}

/// Who is killed while he makes a state leaves none, and nobody is disturbed by what he leaves.
fn maker_of_a_state_is_killed(lab: &Lab) -> Result<(), Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    lab.with_cache(dir.path())?;
    let mut command = shell(lab, dir.path(), &[], "exec \"$@\"");
    let mut killed = command
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("failed to run the command")?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let making = || -> Result<bool> {
        let all = exetrail::files::list(&dir.path().join("partial"))?;
        Ok(all.iter().any(|work| work.join("new/machine").exists()))
    };
    while !making()? {
        if Instant::now() > deadline || killed.try_wait().is_ok_and(|end| end.is_some()) {
            return Err("no state is being made".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().context("failed to kill it")?;
    killed.wait().context("failed to wait for it")?;
    if !exetrail::files::list(&dir.path().join("warm"))?.is_empty() {
        return Err("a part of a state is there".into());
    }
    let output = shell(lab, dir.path(), &[], "exec \"$@\"").output();
    check_same(&output.context("failed to run the command")?, &[])
}

//! What becomes of a run when something fails: guests that panic, hang or go silent, QEMU killed,
//! kernels that are none. Each costs its own scenario and nothing else, within its deadline.
#![expect(clippy::expect_used, reason = "a trial fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use exetrail::project::{Project, cache_directory};
use exetrail::scenario::{Registered, select};
use exetrail::suite::{Options, ReadyKernel, RunEvent, Stop, Suite, Wanted, Work};
use exetrail::trail::Outcome;
use exetrail::view::{Record, STAGES, TRAIL};
use exetrail::vm::machine::Kernel;
use exetrail::wire::Fault;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest as _, Sha256};

/// The scenarios that run; the fault is in the second.
const SCENARIOS: [&str; 3] = ["start/direct_ldso", "start/fexecve", "start/shebang"];
const FAULTY: &str = SCENARIOS[1];

/// Commits one fault and looks at what becomes of the run.
type Check = fn(&Lab) -> Result<(), Failed>;

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // One guest after the other: the trials look for their own QEMU.
    args.test_threads = Some(1);
    let lab = match Lab::open() {
        Ok(lab) => Arc::new(lab),
        Err(error) => {
            eprintln!("faults: {error:#}");
            return ExitCode::from(2);
        }
    };
    let table: [(&str, Check); 17] = [
        ("guest_panics", guest_panics),
        ("pid_1_hangs", pid_1_hangs),
        ("launcher_is_stuck", launcher_is_stuck),
        ("monitor_is_wedged", monitor_is_wedged),
        ("channel_is_cut", channel_is_cut),
        ("trace_is_lost", trace_is_lost),
        ("another_tracer_is_active", another_tracer_is_active),
        ("tracefs_is_missing", tracefs_is_missing),
        ("tracefs_should_be_there", tracefs_should_be_there),
        ("qemu_is_killed", qemu_is_killed),
        ("kernel_is_truncated", kernel_is_truncated),
        ("kernel_never_reaches_pid_1", kernel_never_reaches_pid_1),
        ("state_is_cut", state_is_cut),
        ("state_ends_early", state_ends_early),
        ("state_of_another_qemu", state_of_another_qemu),
        ("disk_is_full", disk_is_full),
        ("cache_takes_no_state", cache_takes_no_state),
    ];
    let trials = table.map(|(name, check)| {
        let lab = Arc::clone(&lab);
        // A mount takes root.
        let ignored = name == "disk_is_full" && !nix::unistd::geteuid().is_root();
        Trial::ignorable_test(name, move || lab.run(check)).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&args, trials.into()).exit_code()
}

/// The newest kernel that is fetched, and what boots it.
struct Lab {
    project: Project,
    target: Option<ReadyKernel>,
    stop: Stop,
}

impl Lab {
    fn open() -> Result<Lab> {
        let stop = Stop::listen()?;
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let project = Project::open_at(Some(root), cache_directory()?)?;
        let mut target = None;
        for entry in &project.table.kernels {
            if let Wanted::Ready(ready) = Wanted::of_table(&project, &entry.id)? {
                target = Some(ready);
            }
        }
        Ok(Lab {
            project,
            target,
            stop,
        })
    }

    fn run(&self, check: Check) -> Result<Completion, Failed> {
        match (&self.target, std::env::var("EXETRAIL_REQUIRE").as_deref()) {
            (Some(_), _) => check(self).map(|()| Completion::Completed),
            (None, Ok("all")) => Err("not run: no kernel is fetched, run vm/setup".into()),
            (None, _) => Ok(Completion::ignored_with(
                "no kernel is fetched, run vm/setup",
            )),
        }
    }

    fn target(&self) -> ReadyKernel {
        self.target.clone().expect("checked in run")
    }

    /// The same with another cache, in which are kernels, fixture and no states.
    fn with_cache(&self, cache: &Path) -> Result<Project> {
        for entry in exetrail::files::list(&self.project.cache)? {
            let name = exetrail::files::name(&entry);
            if !name.starts_with("partial") && name != "warm" {
                let place = cache.join(name);
                std::os::unix::fs::symlink(&entry, place).context("failed to link")?;
            }
        }
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        Project::open_at(Some(root), cache.to_owned())
    }

    /// Runs the three scenarios; returns their records by name and how often a guest was booted.
    fn boot(
        &self,
        target: ReadyKernel,
        options: Options,
        on: &mut dyn FnMut(&RunEvent),
    ) -> Result<Seen> {
        self.boot_in(&self.project, target, options, on)
    }

    fn boot_in(
        &self,
        project: &Project,
        target: ReadyKernel,
        options: Options,
        on: &mut dyn FnMut(&RunEvent),
    ) -> Result<Seen> {
        let program = Path::new(env!("CARGO_BIN_EXE_exetrail"));
        let suite = Suite::prepare(project, program, &self.target(), &self.stop)?;
        let scenarios: Vec<&Registered> = select(&SCENARIOS.map(ToOwned::to_owned))?;
        let mut seen = Seen::default();
        suite.run(
            &[Work { target, scenarios }],
            &options,
            &self.stop,
            &mut |event| {
                on(&event);
                match event {
                    RunEvent::Booting { .. } => seen.boots += 1,
                    RunEvent::Recorded { record, .. } => {
                        seen.records.insert(record.scenario.clone(), *record);
                    }
                    RunEvent::Note { text, .. } => seen.notes.push(text),
                    RunEvent::Running { .. } | RunEvent::Ended { .. } => {}
                }
            },
        );
        Ok(seen)
    }

    fn with_fault(&self, fault: Fault) -> Result<Seen> {
        self.boot(self.target(), faulty(fault), &mut |_| {})
    }
}

/// Trail and stages alone: what else there is may want a boot of its own.
fn options() -> Options {
    Options {
        observe: vec![TRAIL, STAGES],
        ..Options::default()
    }
}

fn faulty(fault: Fault) -> Options {
    Options {
        faults: BTreeMap::from([(FAULTY.to_owned(), fault)]),
        deadline: Some(Duration::from_secs(2)),
        grace: Duration::from_secs(3),
        ..options()
    }
}

#[derive(Default)]
struct Seen {
    records: BTreeMap<String, Record>,
    boots: usize,
    /// What was said of states.
    notes: Vec<String>,
}

impl Seen {
    /// The faulty scenario is broken for a reason with all of these in it, the others are the same.
    fn check(&self, boots: usize, reason: &[&str]) -> Result<(), Failed> {
        for (name, record) in &self.records {
            let (outcome, text) = trail_of(record);
            if name != FAULTY && outcome != Outcome::Same {
                return Err(format!("{name} is {outcome}: {text}").into());
            }
            let missing = reason
                .iter()
                .find(|part| name == FAULTY && !text.contains(**part));
            if let Some(missing) = missing {
                return Err(format!("\"{missing}\" is not in the reason: {text}").into());
            }
        }
        let broken = self.records.get(FAULTY).map(|record| trail_of(record).0);
        if self.records.len() != SCENARIOS.len() || broken != Some(Outcome::Broken) {
            return Err(format!("{FAULTY} is {broken:?}, {} records", self.records.len()).into());
        }
        match self.boots == boots {
            true => no_qemu_is_left(),
            false => Err(format!("{} boots instead of {boots}", self.boots).into()),
        }
    }

    /// Every scenario is the same, and all of this was said of states; nothing where it is empty.
    fn check_all_same(&self, said: &[&str]) -> Result<(), Failed> {
        for (name, record) in &self.records {
            let (outcome, text) = trail_of(record);
            if outcome != Outcome::Same {
                return Err(format!("{name} is {outcome}: {text}").into());
            }
        }
        let notes = self.notes.join("; ");
        let missing = said.iter().find(|part| !notes.contains(**part));
        if missing.is_some() || (said.is_empty() && !notes.is_empty()) {
            return Err(format!("{notes:?} was said, wanted {said:?}").into());
        }
        match self.records.len() == SCENARIOS.len() {
            true => no_qemu_is_left(),
            false => Err(format!("{} records", self.records.len()).into()),
        }
    }

    /// Every scenario is broken for a reason with all of these in it, after one boot.
    fn check_all_broken(&self, reason: &[&str]) -> Result<(), Failed> {
        for record in self.records.values() {
            let (outcome, text) = trail_of(record);
            let missing = reason.iter().find(|part| !text.contains(**part));
            if outcome != Outcome::Broken || missing.is_some() {
                return Err(format!("{outcome}: {text}, wanted {reason:?}").into());
            }
        }
        match (self.records.len(), self.boots) {
            (3, 1) => no_qemu_is_left(),
            (records, boots) => Err(format!("{records} records, {boots} boots").into()),
        }
    }
}

/// Outcome and reason of a trail.
fn trail_of(record: &Record) -> (Outcome, &str) {
    let seen = record.of(TRAIL).expect("every record has a trail's place");
    (seen.outcome, seen.reason.as_deref().unwrap_or_default())
}

/// Outcome and reason of the stages; none where they were not recorded.
fn stages_of(record: &Record) -> Option<(Outcome, Option<String>)> {
    let seen = record.of(STAGES)?;
    Some((seen.outcome, seen.reason.clone()))
}

fn guest_panics(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.with_fault(Fault::Panic)?;
    seen.check(
        2,
        &[
            "the kernel panicked",
            "console's last lines",
            "sysrq triggered crash",
        ],
    )
}

fn pid_1_hangs(lab: &Lab) -> Result<(), Failed> {
    lab.with_fault(Fault::Hang)?
        .check(2, &["nothing came for 5 s", "the guest hangs"])
}

fn launcher_is_stuck(lab: &Lab) -> Result<(), Failed> {
    lab.with_fault(Fault::Stuck)?
        .check(1, &["did not come to its end within 2 s", "launcher"])
}

fn monitor_is_wedged(lab: &Lab) -> Result<(), Failed> {
    // Its exec waits for an answer that never comes, until the runner kills the monitor.
    lab.with_fault(Fault::Wedge)?
        .check(1, &["did not come to its end within 2 s", "monitor"])
}

fn channel_is_cut(lab: &Lab) -> Result<(), Failed> {
    lab.with_fault(Fault::Cut)?
        .check(2, &["cut in the middle of a record (16 bytes"])
}

/// Lines of the kernel's trace are lost: that costs the view of the inside, and not the trail.
fn trace_is_lost(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.with_fault(Fault::Lost)?;
    let record = seen.records.get(FAULTY).ok_or("there is no record")?;
    let (outcome, reason) = stages_of(record).ok_or("there are no stages")?;
    let reason = reason.unwrap_or_default();
    let lost =
        outcome == Outcome::Broken && reason.contains("lines of the kernel's trace were lost");
    match trail_of(record).0 == Outcome::Same && lost && seen.boots == 1 {
        true => Ok(()),
        false => Err(format!("{}, stages {reason:?}", trail_of(record).0).into()),
    }
}

/// Somebody else traces from the second scenario on: from there on there is no second view.
fn another_tracer_is_active(lab: &Lab) -> Result<(), Failed> {
    let seen = lab.with_fault(Fault::Traced)?;
    let views = SCENARIOS.map(|name| {
        let record = seen.records.get(name)?;
        let (outcome, reason) = stages_of(record)?;
        Some((trail_of(record).0, outcome, reason))
    });
    let reason = Some("another tracer is active: function".to_owned());
    let unsupported = Some((Outcome::Same, Outcome::Unsupported, reason));
    let first = Some((Outcome::Same, Outcome::Same, None));
    match views == [first, unsupported.clone(), unsupported] {
        true => Ok(()),
        false => Err(format!("{views:?}").into()),
    }
}

/// A kernel that makes no tracefs has no second view, and the trail all the same.
fn tracefs_is_missing(lab: &Lab) -> Result<(), Failed> {
    let target = ReadyKernel {
        config: None,
        ..lab.target()
    };
    without_tracefs(lab, target, Outcome::Unsupported, "needs tracefs")
}

/// By its configuration it has one: then it is our mistake that there is none.
fn tracefs_should_be_there(lab: &Lab) -> Result<(), Failed> {
    without_tracefs(lab, lab.target(), Outcome::Broken, "tracefs")
}

fn without_tracefs(
    lab: &Lab,
    target: ReadyKernel,
    outcome: Outcome,
    reason: &str,
) -> Result<(), Failed> {
    let options = Options {
        parameters: "initcall_blacklist=tracefs_init".to_owned(),
        ..options()
    };
    let seen = lab.boot(target, options, &mut |_| {})?;
    for (name, record) in &seen.records {
        let trail = trail_of(record).0;
        let stages = stages_of(record);
        let as_wanted = stages.as_ref().is_some_and(|(found, said)| {
            *found == outcome && said.as_ref().is_some_and(|said| said.contains(reason))
        });
        if trail != Outcome::Same || !as_wanted {
            return Err(format!("{name} is {trail}, stages {stages:?}").into());
        }
    }
    match seen.records.len() == SCENARIOS.len() {
        true => no_qemu_is_left(),
        false => Err(format!("{} records", seen.records.len()).into()),
    }
}

fn qemu_is_killed(lab: &Lab) -> Result<(), Failed> {
    // PID 1 waits in that scenario, so that it is surely this one that is killed.
    let seen = lab.boot(lab.target(), faulty(Fault::Hang), &mut |event| {
        if matches!(event, RunEvent::Running { scenario, .. } if scenario == FAULTY) {
            for pid in own_qemu() {
                kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is our child");
            }
        }
    })?;
    seen.check(2, &["QEMU ended in the guest, killed by signal 9"])
}

fn kernel_is_truncated(lab: &Lab) -> Result<(), Failed> {
    let Some(Kernel::File(path)) = lab.target().kernel else {
        return Err("the table's kernels are files".into());
    };
    let whole = fs::read(&path).map_err(|error| error.to_string())?;
    let seen = boot_bytes(lab, &whole[..whole.len() / 2])?;
    seen.check_all_broken(&["before PID 1 came up", "QEMU says"])
}

fn kernel_never_reaches_pid_1(lab: &Lab) -> Result<(), Failed> {
    let seen = boot_bytes(lab, &halting_kernel())?;
    seen.check_all_broken(&[
        "nothing came for 2 s, before PID 1 came up",
        "the console is empty",
    ])
}

/// Runs the scenarios on a cache of its own, once to have a state, then with harm done to it; returns
/// what was said of the state then.
fn with_state(lab: &Lab, harm: impl FnOnce(&Path) -> Result<()>) -> Result<Seen, Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    let project = lab.with_cache(dir.path())?;
    let boot = || lab.boot_in(&project, lab.target(), options(), &mut |_| {});
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

/// The disk has no room for a guest's memory: kernels are booted, and nothing half is left.
fn disk_is_full(lab: &Lab) -> Result<(), Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    let in_small = || -> Result<Seen> {
        // The mount is this thread's, and that of the machines that it starts.
        unshare(CloneFlags::CLONE_NEWNS).context("failed to make a mount namespace")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        let none = None::<&str>;
        mount(none, "/", none, private, none).context("failed to make mounts private")?;
        let size = Some("size=16m");
        mount(none, dir.path(), Some("tmpfs"), MsFlags::empty(), size)
            .context("failed to mount a tmpfs")?;
        let project = lab.with_cache(dir.path())?;
        let seen = lab.boot_in(&project, lab.target(), options(), &mut |_| {})?;
        for left in ["warm", "partial"].map(|name| dir.path().join(name)) {
            let left = exetrail::files::list(&left)?;
            ensure!(left.is_empty(), "left: {left:?}");
        }
        Ok(seen)
    };
    let seen = std::thread::scope(|scope| scope.spawn(in_small).join());
    let seen = seen.map_err(|_| "the thread with the small disk panicked")??;
    seen.check_all_same(&["no warm state of", "is kept", "No space left"])
}

/// A cache that takes no state costs the state alone.
fn cache_takes_no_state(lab: &Lab) -> Result<(), Failed> {
    let dir = tempfile::tempdir().context("failed to make a directory")?;
    let project = lab.with_cache(dir.path())?;
    // A file where a directory has to be: nothing can be made there.
    fs::write(dir.path().join("partial"), "").context("failed to write a file")?;
    let seen = lab.boot_in(&project, lab.target(), options(), &mut |_| {})?;
    seen.check_all_same(&["no warm state of", "is kept", "partial"])
}

fn boot_bytes(lab: &Lab, bytes: &[u8]) -> Result<Seen> {
    let file = tempfile::NamedTempFile::new().context("failed to make a file")?;
    fs::write(file.path(), bytes).context("failed to write a kernel")?;
    let target = ReadyKernel {
        kernel: Some(Kernel::File(file.path().to_owned())),
        ..lab.target()
    };
    let options = Options {
        boot: Duration::from_secs(2),
        ..options()
    };
    lab.boot(target, options, &mut |_| {})
}

/// A kernel that stops at once: an ELF file with a PVH entry point at `hlt; jmp -3`.
fn halting_kernel() -> Vec<u8> {
    let address = 0x10_0000_u64;
    let words = |words: &[u64]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    // ET_EXEC, x86-64, version 1; entry, program headers at 64, no sections.
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(words(&[address, 64, 0]));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    // PT_LOAD and PT_NOTE: type, flags, offset, addresses, sizes, alignment.
    file.extend([1, 0, 0, 0, 7, 0, 0, 0]);
    file.extend(words(&[
        0,
        address - 0x100,
        address - 0x100,
        0x103,
        0x103,
        4096,
    ]));
    file.extend([4, 0, 0, 0, 4, 0, 0, 0]);
    file.extend(words(&[176, 0, 0, 20, 20, 4]));
    // The note: name "Xen", XEN_ELFNOTE_PHYS32_ENTRY (18), a 32-bit address.
    for word in [4, 4, 18, u32::from_le_bytes(*b"Xen\0"), 0x10_0000] {
        file.extend(u32::to_le_bytes(word));
    }
    file.resize(0x100, 0);
    file.extend([0xf4, 0xeb, 0xfd]);
    file
}

/// Every QEMU that this process has started and not reaped.
fn own_qemu() -> Vec<i32> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let is_ours = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (comm, rest) = stat.rsplit_once(')').unwrap_or_default();
        comm.contains("(qemu-system") && rest.split_whitespace().nth(1) == Some(&own)
    };
    pids.filter(is_ours).collect()
}

fn no_qemu_is_left() -> Result<(), Failed> {
    match own_qemu().is_empty() {
        true => Ok(()),
        false => Err("a QEMU is left behind".into()),
    }
}

//! What has no end and what does not answer, as the command's user meets it: files, tables, disks
//! without room, signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use call::{ROOT, checkout, exetrail, fails};

#[test]
fn a_kernel_that_has_no_end_or_no_writer_is_not_begun() {
    let cache = tempfile::tempdir().unwrap();
    let fifo = cache.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for word in ["/dev/zero", fifo.to_str().unwrap()] {
        let command = exetrail(&["run", "-k", word], Path::new(ROOT), cache.path());
        fails(command, &[&format!("{word} is not a regular file")]);
    }
}

#[test]
fn a_record_that_is_a_fifo_is_named() {
    let records = tempfile::tempdir().unwrap();
    let fifo = records.path().join("6.12.json");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let word = records.path().to_str().unwrap();
    let command = exetrail(&["check", word], Path::new(ROOT), records.path());
    fails(command, &["6.12.json is not a regular file"]);
}

#[test]
fn a_table_without_end_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let checkout = checkout(|root| {
        let file = fs::File::create(root.join("vm/kernels.toml")).unwrap();
        file.set_len(1 << 40).unwrap();
    });
    let command = exetrail(&["kernels"], checkout.path(), cache.path());
    fails(command, &["vm/kernels.toml", "limit of 1 MiB"]);
}

#[test]
fn the_largest_table_is_read_in_bounded_time() {
    let cache = tempfile::tempdir().unwrap();
    let checkout = checkout(|root| {
        let entry = |number: usize| {
            let rest = "suites=[\"s\"]\nrelease=\"r\"\npackages=[\"p\"]\n";
            // Each inherits from the next newer one, and the last from the first.
            let parent = format!("parent=\"9.{}\"\n", (number + 1) % 11_000);
            format!("[[kernel]]\nid=\"9.{number}\"\n{rest}{parent}")
        };
        let text: String = (0..11_000).map(entry).collect();
        assert!(text.len() < 1 << 20);
        fs::write(
            root.join("vm/kernels.toml"),
            format!("modules = []\n{text}"),
        )
        .unwrap();
    });
    let started = std::time::Instant::now();
    let command = exetrail(&["kernels"], checkout.path(), cache.path());
    fails(command, &["kernels inherit in a circle: 9.0 -> 9.1 -> "]);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn an_error_that_quotes_a_file_is_printable() {
    let records = tempfile::tempdir().unwrap();
    fs::write(records.path().join("\u{1b}]0;x\u{7}.json"), "{}").unwrap();
    let word = records.path().to_str().unwrap();
    let command = exetrail(&["check", word], Path::new(ROOT), records.path());
    fails(
        command,
        &["/\\x1b]0;x\\x07.json", "not a record of exetrail"],
    );
}

/// The command while it waits in a write(2) that nobody reads and listens for signals.
struct Held {
    child: std::process::Child,
    _reader: std::io::PipeReader,
    _cache: tempfile::TempDir,
}

impl Held {
    /// With these signals ignored, as a shell does it for whom it starts.
    fn begin(ignored: &str) -> Held {
        use std::io::Write as _;
        let cache = tempfile::tempdir().unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        // A pipe has 65,536 bytes (pipe(7)).
        writer.write_all(&[b'x'; 1 << 16]).unwrap();
        let mut command = Command::new("/bin/sh");
        let trap = format!("trap '' {ignored}; exec \"$0\" run");
        command
            .args([
                "-c",
                if ignored.is_empty() {
                    "exec \"$0\" run"
                } else {
                    &trap
                },
            ])
            .arg(env!("CARGO_BIN_EXE_exetrail"))
            .current_dir(ROOT)
            .env("EXETRAIL_CACHE", cache.path())
            .stderr(writer);
        // Whoever runs this test in the background may have us ignore SIGINT.
        exetrail::sys::with_clean_signals(&mut command);
        let child = command.spawn().unwrap();
        let held = Held {
            child,
            _reader: reader,
            _cache: cache,
        };
        held.wait_for(|status| status.contains("Threads:\t2\n"));
        held.wait_for(|_| held.listens());
        held
    }

    /// Whether its second thread waits for a signal: in rt_sigtimedwait, call 128
    /// (arch/x86/entry/syscalls/syscall_64.tbl).
    fn listens(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.into_iter().flatten().flatten().any(|task| {
            let call = fs::read_to_string(task.path().join("syscall"));
            call.is_ok_and(|call| call.starts_with("128 "))
        })
    }

    fn status(&self) -> String {
        fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default()
    }

    fn wait_for(&self, holds: impl Fn(&str) -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !holds(&self.status()) {
            assert!(std::time::Instant::now() < deadline, "{}", self.status());
            std::thread::yield_now();
        }
    }

    fn send(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Sends a signal and waits until it is taken and the next one would count.
    fn signal(&self, signal: nix::sys::signal::Signal) {
        self.send(signal);
        self.is_taken();
    }

    fn is_taken(&self) {
        self.wait_for(|status| {
            status.is_empty()
                || status.contains("State:\tZ")
                || status.contains("ShdPnd:\t0000000000000000") && self.listens()
        });
    }

    fn ended(mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        self.wait_for(|status| status.contains("State:\tZ"));
        self.child.wait().unwrap().signal()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Also when a test fails: nobody else would.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_second_signal_ends_a_command_whatever_it_waits_for() {
    use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
    for (first, second) in [(SIGINT, SIGINT), (SIGTERM, SIGINT), (SIGHUP, SIGTERM)] {
        let held = Held::begin("");
        held.signal(first);
        assert!(
            held.status().contains("Threads:\t2\n"),
            "the first is told alone"
        );
        held.signal(second);
        assert_eq!(held.ended(), Some(second as i32));
    }
}

#[test]
fn signals_of_one_moment_are_one_as_timeout_sends_them() {
    use nix::sys::signal::Signal::{SIGINT, SIGTERM};
    // Half of what the command takes for one moment (`ONE_WISH` in src/suite/stop.rs).
    let moment = std::time::Duration::from_millis(50);
    for _ in 0..20 {
        let held = Held::begin("");
        let begun = std::time::Instant::now();
        // The command has taken the first when the second comes.
        held.send(SIGTERM);
        held.wait_for(|status| status.contains("ShdPnd:\t0000000000000000"));
        held.send(SIGTERM);
        // On a busy machine we are late, and then they are two.
        if begun.elapsed() > moment {
            continue;
        }
        held.is_taken();
        assert!(held.status().contains("Threads:\t2\n"), "it is one wish");
        held.signal(SIGINT);
        assert_eq!(held.ended(), Some(SIGINT as i32));
        return;
    }
    panic!("this machine never sends two signals within {moment:?}");
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    use nix::sys::signal::Signal::{SIGHUP, SIGTERM};
    let held = Held::begin("HUP");
    held.signal(SIGHUP);
    held.signal(SIGHUP);
    held.signal(SIGTERM);
    assert!(held.status().contains("Threads:\t2\n"), "one was counted");
    held.signal(SIGTERM);
    assert_eq!(held.ended(), Some(SIGTERM as i32));
}

/// The command where no file may have more than so many blocks of 512 bytes (ulimit of sh(1)).
fn with_room_for(blocks: usize, arguments: &[&str], cache: &Path) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_exetrail")])
        .args(arguments)
        .current_dir(ROOT)
        .env("EXETRAIL_CACHE", cache);
    command.output().unwrap()
}

#[test]
fn a_page_for_which_there_is_no_room_leaves_the_old_one() {
    let cache = tempfile::tempdir().unwrap();
    let page = cache.path().join("page.html");
    fs::write(&page, "old").unwrap();
    let word = page.to_str().unwrap();
    for blocks in [0, 1, 100] {
        let Output { status, stderr, .. } =
            with_room_for(blocks, &["report", "-o", word], cache.path());
        let text = String::from_utf8_lossy(&stderr);
        assert!(text.contains(&format!("failed to write {word}")), "{text}");
        assert_eq!(status.code(), Some(2));
        assert_eq!(fs::read_to_string(&page).unwrap(), "old");
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_output_that_has_no_room_is_an_error() {
    let cache = tempfile::tempdir().unwrap();
    for arguments in [
        &["kernels"][..],
        &["contract"],
        &["observers"],
        &["history", "start/shebang"],
        &["diff", "5.10", "7.3"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = exetrail(arguments, Path::new(ROOT), cache.path());
        command.stdout(full);
        fails(command, &["No space left on device"]);
    }
}

/// The page of the monitor beside a whole system is written by a script, from a table that it adds to.
#[test]
fn the_page_of_the_whole_system_is_that_of_its_table() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "vm/system",
        "vm/system.awk",
        "docs/system.tsv",
        "docs/system.md",
    ] {
        let place = dir.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(Path::new(ROOT).join(name), place).unwrap();
    }
    let written = Command::new(dir.path().join("vm/system"))
        .arg("--page")
        .status();
    assert!(written.unwrap().success());
    let [new, old] = [dir.path(), Path::new(ROOT)]
        .map(|root| fs::read_to_string(root.join("docs/system.md")).unwrap());
    assert_eq!(new, old, "write it by vm/system --page");
}

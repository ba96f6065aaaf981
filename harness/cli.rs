//! The command as its user meets it when something is wrong: a clear word, the way out, status 2.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;
#[path = "cli/forms.rs"]
mod forms;
#[path = "cli/prepared.rs"]
mod prepared;

use std::fs;
use std::path::Path;

use call::{ROOT, checkout, exetrail, fails};

#[test]
fn an_unknown_scenario_is_answered_with_the_nearest_name() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(&["run", "shebnag"], Path::new(ROOT), cache.path());
    fails(
        command,
        &["no scenario \"shebnag\"", "did you mean start/shebang?"],
    );
}

#[test]
fn an_unknown_kernel_is_answered_with_the_table() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(&["run", "-k", "4.19"], Path::new(ROOT), cache.path());
    fails(
        command,
        &["no kernel \"4.19\"", "5.10, 6.1,", "path of a bzImage"],
    );
}

#[test]
fn an_empty_cache_is_answered_with_the_way_to_fill_it() {
    let cache = tempfile::tempdir().unwrap();
    fails(
        exetrail(&[], Path::new(ROOT), cache.path()),
        &["no kernel is fetched: vm/setup fetches all of them"],
    );
}

#[test]
fn a_kernel_that_is_not_fetched_is_said_and_fails_where_it_is_required() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = exetrail(&["run", "-k", "6.12"], Path::new(ROOT), cache.path());
    command.env("EXETRAIL_REQUIRE", "all");
    fails(
        command,
        &["6.12 is not fetched", "vm/setup 6.12 fetches it"],
    );
}

#[test]
fn a_gate_that_is_misspelt_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = exetrail(&["run", "-k", "6.12"], Path::new(ROOT), cache.path());
    command.env("EXETRAIL_REQUIRE", "ALL");
    fails(
        command,
        &["EXETRAIL_REQUIRE=\"ALL\" is unknown: it is all, or not set"],
    );
}

#[test]
fn an_unknown_view_in_the_environment_is_answered_with_those_that_there_are() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = exetrail(&["run"], Path::new(ROOT), cache.path());
    command.env("EXETRAIL_OBSERVE", "trail,stagse");
    fails(
        command,
        &[
            "EXETRAIL_OBSERVE: ",
            "no view \"stagse\"",
            "all is every one",
        ],
    );
}

#[test]
fn a_file_that_is_no_kernel_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(&["run", "-k", "README.md"], Path::new(ROOT), cache.path());
    fails(command, &["README.md cannot be booted", "HdrS"]);
}

#[test]
fn a_truncated_image_says_how_much_is_missing() {
    let cache = tempfile::tempdir().unwrap();
    let image = cache.path().join("bzImage");
    let mut bytes = vec![0; 0x300];
    bytes[0x1f1] = 1;
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20e] = 0x80;
    bytes[0x280..0x285].copy_from_slice(b"6.1.2");
    bytes[0x24c..0x250].copy_from_slice(&4096_u32.to_le_bytes());
    fs::write(&image, bytes).unwrap();
    let word = image.to_str().unwrap();
    let command = exetrail(&["run", "-k", word], Path::new(ROOT), cache.path());
    fails(
        command,
        &[
            "bzImage cannot be booted",
            "truncated",
            "asks for 5120 bytes, it has 768",
        ],
    );
}

#[test]
fn an_unknown_key_in_the_kernel_table_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let checkout = checkout(|root| {
        let file = root.join("vm/kernels.toml");
        let text = fs::read_to_string(&file)
            .unwrap()
            .replacen("\nsuites", "\nsuits", 1);
        fs::write(file, text).unwrap();
    });
    let command = exetrail(&["kernels"], checkout.path(), cache.path());
    fails(command, &["failed to read vm/kernels.toml", "suits"]);
}

#[test]
fn what_a_run_cannot_write_is_told_before_anything_boots() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("provenance.json"), "{").unwrap();
    let records = dir.path().to_str().unwrap();
    let run = |arguments: &[&str]| exetrail(arguments, Path::new(ROOT), dir.path());
    fails(
        run(&["run", "start/shebang", "--records", records]),
        &["failed to note where records come from"],
    );
    fails(
        run(&["run", "start/shebang", "--agent", "x", "--pending"]),
        &["say where with --snapshots"],
    );
}

#[test]
fn modules_for_a_kernel_that_has_its_own_are_refused() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(
        &["contract", "--modules", "/nonexistent"],
        Path::new(ROOT),
        cache.path(),
    );
    fails(command, &["--modules is for a kernel that you name"]);
}

#[test]
fn a_kernel_that_is_unknown_is_told_before_anything_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let command = exetrail(&["fetch", "6.99"], Path::new(ROOT), &cache);
    fails(command, &["no kernel \"6.99\"", "it has 5.10"]);
    assert!(!cache.exists());
}

#[test]
fn what_goes_with_an_agent_of_the_users_does_not_go_with_a_tool() {
    let cache = tempfile::tempdir().unwrap();
    for option in [["--snapshots", "."], ["--packages", "jq"]] {
        let arguments = [&["run", "--tool", "strace"][..], &option].concat();
        let command = exetrail(&arguments, Path::new(ROOT), cache.path());
        fails(command, &[option[0], "cannot be used with"]);
    }
    let arguments = ["run", "start/shebang", "--tool", "strace", "--pending"];
    let command = exetrail(&arguments, cache.path(), cache.path());
    fails(command, &["what is accepted of a tool is in a checkout"]);
}

#[test]
fn a_model_has_the_same_gate_as_a_run() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = exetrail(&["model", "-k", "6.12"], Path::new(ROOT), cache.path());
    command.env("EXETRAIL_REQUIRE", "ALL");
    fails(command, &["EXETRAIL_REQUIRE=\"ALL\" is unknown"]);
    let mut command = exetrail(&["model", "-k", "6.12"], Path::new(ROOT), cache.path());
    command.env("EXETRAIL_REQUIRE", "all");
    fails(
        command,
        &["error: kernel 6.12 is not fetched and was not run"],
    );
}

#[test]
fn a_call_without_a_specification_is_answered_with_those_that_have_one() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(
        &["contract", "--call", "fork"],
        Path::new(ROOT),
        cache.path(),
    );
    fails(command, &["no specification of fork; there is execve"]);
}

#[test]
fn what_nobody_reads_ends_with_its_own_status() {
    let cache = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    // It has no stages, so that there is nothing to tell.
    let mut command = exetrail(&["explain", "deny/script"], Path::new(ROOT), cache.path());
    let status = command.stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn what_reads_no_cases_takes_no_suite() {
    let (cache, suite) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(suite.path().join("cases")).unwrap();
    fs::write(suite.path().join("exetrail.toml"), "").unwrap();
    let suite = suite.path().to_str().unwrap();
    for name in ["contract", "observers", "kernels", "model"] {
        let command = exetrail(&[name, "--suite", suite], Path::new(ROOT), cache.path());
        fails(command, &["leave --suite out"]);
    }
}

#[test]
fn a_descriptor_and_another_call_contradict_each_other() {
    let cache = tempfile::tempdir().unwrap();
    let words = [
        "try",
        "--call",
        "fexecve",
        "--fd",
        "/tmp",
        "--",
        "/bin/true",
    ];
    fails(
        exetrail(&words, Path::new(ROOT), cache.path()),
        &["--fd is for --call execveat"],
    );
}

#[test]
fn an_empty_word_is_no_function() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(&["hooks", "-k", "6.12", ""], Path::new(ROOT), cache.path());
    fails(command, &["\"\" is no name of a function"]);
}

#[test]
fn the_contract_is_an_object_for_each_claim_and_kernel() {
    let cache = tempfile::tempdir().unwrap();
    let arguments = ["contract", "-k", "6.12", "--format", "json"];
    let output = exetrail(&arguments, Path::new(ROOT), cache.path()).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line = text.lines().find(|line| line.contains("error/EISDIR"));
    let start = r#"{"claim":"error/EISDIR","kernel":"6.12","verdict":"contradicted","evidence":""#;
    assert!(line.unwrap().starts_with(start), "{text}");
}

#[test]
fn what_an_observer_reports_is_an_object_for_each_exec_way_and_kernel() {
    let cache = tempfile::tempdir().unwrap();
    let arguments = ["observers", "tracepoints", "start/symlink", "-k", "6.12"];
    let arguments = [&arguments[..], &["--format", "json"]].concat();
    let output = exetrail(&arguments, Path::new(ROOT), cache.path()).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("sched_process_exec"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(line["kernel"], "6.12");
    assert_eq!(line["heard"], "known");
    assert_eq!(line["path"], "as passed");
    assert!(!text.contains("proc-connector"), "{text}");
}

#[test]
fn the_protocol_of_agents_is_in_the_binary() {
    let cache = tempfile::tempdir().unwrap();
    for (part, file) in [
        ("--protocol", "observer-protocol.md"),
        ("--protocol=schema", "schema/agent.json"),
        ("--protocol=shell", "agents/exec.sh"),
        ("--protocol=c", "agents/exec.c"),
    ] {
        let output = exetrail(&["observers", part], cache.path(), cache.path()).output();
        let written = std::fs::read(Path::new(ROOT).join("docs").join(file)).unwrap();
        assert_eq!(output.unwrap().stdout, written, "{part}");
    }
}

#[test]
fn a_kernel_that_the_table_of_observers_lacks_is_named_with_the_way_to_see_it() {
    let cache = tempfile::tempdir().unwrap();
    let command = exetrail(&["observers", "-k", "4.19"], Path::new(ROOT), cache.path());
    fails(
        command,
        &["the table has no kernel 4.19", "-k PATH-OF-ITS-IMAGE"],
    );
}

/// A directory with a suite of one case.
fn suite(case: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("exetrail.toml"), "").unwrap();
    fs::create_dir(dir.path().join("cases")).unwrap();
    fs::write(dir.path().join("cases/a.toml"), case).unwrap();
    dir
}

#[test]
fn a_case_that_is_wrong_is_named_with_line_and_column() {
    let dir = suite("[exec]\npath = \"/a\"\nargument = []\n");
    let arguments = ["run", "--suite", "."];
    let command = exetrail(&arguments, dir.path(), dir.path());
    fails(command, &["cases/a.toml:3:1: unknown key `argument`"]);
}

#[test]
fn a_case_of_another_suite_misses_its_files_with_line_and_column() {
    let dir = suite("[exec]\npath = \"/a\"\n[[file]]\npath = \"/a\"\nhost = \"bin/a\"\n");
    let command = exetrail(&["list", "--suite", "."], dir.path(), dir.path());
    fails(
        command,
        &["cases/a.toml:5:8: file.0.host: there is no ", "bin/a"],
    );
}

#[test]
fn a_directory_that_is_no_suite_says_what_would_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let command = exetrail(&["list", "--suite", "."], dir.path(), dir.path());
    fails(command, &["is no suite: it has no exetrail.toml"]);
}

#[test]
fn a_suite_tells_nothing_of_a_kernel_that_it_does_not_name() {
    let dir = suite("[exec]\npath = \"/usr/bin/true\"\n");
    let file = dir.path().join("exetrail.toml");
    fs::write(&file, "kernels = [\"6.12\"]\n").unwrap();
    for words in [
        &["explain", "a", "-k", "6.16"][..],
        &["diff", "6.16", "6.12", "a"],
    ] {
        let arguments = [words, &["--suite", "."]].concat();
        let command = exetrail(&arguments, dir.path(), dir.path());
        fails(command, &["exetrail.toml does not name the kernel 6.16"]);
    }
    fs::write(&file, "").unwrap();
    let arguments = ["explain", "a", "-k", "6.16", "--suite", "."];
    let command = exetrail(&arguments, dir.path(), dir.path());
    fails(command, &["note: ", "exetrail.toml names no kernels"]);
    fs::write(&file, "\nkernels = [\"9.9\"]\n").unwrap();
    let command = exetrail(&["list", "--suite", "."], dir.path(), dir.path());
    fails(
        command,
        &["exetrail.toml:2:12: kernels.0: there is no kernel \"9.9\""],
    );
}

#[test]
fn a_program_that_is_not_there_is_named_before_anything_boots() {
    let dir = tempfile::tempdir().unwrap();
    let command = exetrail(&["try", "--", "./none"], dir.path(), dir.path());
    fails(command, &["there is no ./none"]);
    let command = exetrail(&["try", "--", "exetrail-none"], dir.path(), dir.path());
    fails(command, &["there is no exetrail-none on PATH"]);
}

#[test]
fn a_program_for_another_machine_is_named_before_anything_boots() {
    let dir = tempfile::tempdir().unwrap();
    let mut elf = fs::read(env!("CARGO_BIN_EXE_exetrail")).unwrap();
    // e_machine of the ELF header.
    elf[18] = 183;
    fs::write(dir.path().join("foreign"), elf).unwrap();
    let command = exetrail(&["try", "--", "./foreign"], dir.path(), dir.path());
    fails(command, &["foreign is for AARCH64", "--binfmt"]);
}

#[test]
fn a_root_that_leads_out_or_has_devices_is_refused_and_nothing_is_written() {
    for (name, kind, why) in [
        ("../out", tar::EntryType::Regular, "\"../out\" has the part"),
        (
            "srv/sda",
            tar::EntryType::Block,
            "srv/sda is refused: it is a device",
        ),
        ("a\nb", tar::EntryType::Regular, "has a control character"),
    ] {
        // What a name leads out to is nobody else's either.
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("dir");
        fs::create_dir(&dir).unwrap();
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(0);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, std::io::empty()).unwrap();
        fs::write(dir.join("root.tar"), builder.into_inner().unwrap()).unwrap();
        let arguments = ["try", "--root", "root.tar", "--", "/bin/x"];
        fails(
            exetrail(&arguments, &dir, &dir.join("cache")),
            &["root.tar", why],
        );
        assert!(!place.path().join("out").exists());
        let roots = dir.join("cache/roots");
        assert!(!roots.exists() || fs::read_dir(roots).unwrap().next().is_none());
    }
}

#[test]
fn one_start_is_told_of_and_a_refusal_makes_several() {
    let dir = tempfile::tempdir().unwrap();
    for words in [["--explain", "--deny"], ["--view=stages", "--deny"]] {
        let arguments = [&["try"][..], &words, &["each", "--", "/bin/true"]].concat();
        let command = exetrail(&arguments, Path::new(ROOT), &dir.path().join("cache"));
        fails(command, &["tells of one start, and --deny makes several"]);
    }
}

#[test]
fn what_a_root_lacks_for_the_program_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("root")).unwrap();
    fs::write(dir.path().join("root/run"), "#!/bin/none\r\n").unwrap();
    let words = [
        "try",
        "--root",
        "root",
        "--mount",
        "bind:/opt",
        "-k",
        "none",
    ];
    let arguments = [&words[..], &["--", "/run"]].concat();
    let command = exetrail(&arguments, dir.path(), &dir.path().join("cache"));
    let idle = "--mount bind:/opt changes nothing for the program";
    fails(
        command,
        &["/run needs /bin/none\\x0d, which is not there", idle],
    );
}

#[test]
fn a_root_without_the_program_is_named_before_anything_boots() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("root")).unwrap();
    let arguments = ["try", "--root", "root", "--", "/bin/x"];
    let command = exetrail(&arguments, dir.path(), &dir.path().join("cache"));
    fails(command, &["the root has no file /bin/x"]);
}

#[test]
fn four_gigabytes_of_files_are_refused_before_anything_boots() {
    let dir = tempfile::tempdir().unwrap();
    let big = fs::File::create(dir.path().join("big")).unwrap();
    big.set_len(4 << 30).unwrap();
    let arguments = ["try", "--add", "big", "--", "true"];
    let command = exetrail(&arguments, dir.path(), &dir.path().join("cache"));
    fails(command, &["more than 1024 MiB"]);
}

#[test]
fn the_report_says_of_each_change_between_kernels_why() {
    let cache = tempfile::tempdir().unwrap();
    let output = exetrail(&["report", "-o", "-"], Path::new(ROOT), cache.path()).output();
    let page = String::from_utf8(output.unwrap().stdout).unwrap();
    let rows: Vec<_> = page.split("<tbody class=\"entry\"").skip(1).collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for row in rows {
        let (name, rest) = row.split_once("<td class=\"why\">").unwrap();
        let name = name.split('"').nth(1).unwrap();
        let (why, _) = rest.split_once("<tr>").unwrap();
        assert!(
            !why.trim().is_empty(),
            "{name} changes, and nobody says why"
        );
    }
}

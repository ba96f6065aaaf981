//! Fetching, against an archive on this disk: what is whole is kept, what is not leaves nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use call::{Need, checkout, exetrail};

const TESTS: [(&str, fn()); 13] = [
    (
        "a_pinned_package_becomes_a_kernel_in_the_cache",
        a_pinned_package_becomes_a_kernel_in_the_cache,
    ),
    (
        "a_package_with_another_checksum_is_refused_and_nothing_takes_its_place",
        a_package_with_another_checksum_is_refused_and_nothing_takes_its_place,
    ),
    (
        "a_package_that_is_gone_is_looked_for_in_the_lists",
        a_package_that_is_gone_is_looked_for_in_the_lists,
    ),
    (
        "an_archive_that_cannot_be_reached_is_told_as_such",
        an_archive_that_cannot_be_reached_is_told_as_such,
    ),
    (
        "a_truncated_package_is_refused_and_leaves_nothing",
        a_truncated_package_is_refused_and_leaves_nothing,
    ),
    (
        "a_package_that_unpacks_to_gigabytes_is_refused_with_the_limit",
        a_package_that_unpacks_to_gigabytes_is_refused_with_the_limit,
    ),
    (
        "a_package_whose_names_lead_out_is_refused",
        a_package_whose_names_lead_out_is_refused,
    ),
    (
        "a_fixture_whose_names_lead_out_writes_nothing_and_names_the_key",
        a_fixture_whose_names_lead_out_writes_nothing_and_names_the_key,
    ),
    (
        "a_file_among_the_work_blocks_no_fetch",
        a_file_among_the_work_blocks_no_fetch,
    ),
    (
        "a_symlink_in_the_place_of_the_work_is_refused_and_its_target_stays",
        a_symlink_in_the_place_of_the_work_is_refused_and_its_target_stays,
    ),
    (
        "a_damaged_kernel_is_not_used_and_fetched_again",
        a_damaged_kernel_is_not_used_and_fetched_again,
    ),
    (
        "a_description_that_is_damaged_or_has_no_checksums_is_not_believed",
        a_description_that_is_damaged_or_has_no_checksums_is_not_believed,
    ),
    (
        "a_kernel_that_is_whole_is_not_fetched_again",
        a_kernel_that_is_whole_is_not_fetched_again,
    ),
];

/// The fetch of that kernel.
const FETCH: [&str; 3] = ["fetch", "--no-fixture", "9.9"];

/// What is another container's, or a disk of its own.
const ISOLATED: [(&str, fn()); 3] = [
    (
        "what_a_killed_run_left_is_removed_and_what_a_living_one_makes_is_not",
        what_a_killed_run_left_is_removed_and_what_a_living_one_makes_is_not,
    ),
    (
        "a_disk_that_is_full_at_any_write_is_said_and_leaves_nothing",
        a_disk_that_is_full_at_any_write_is_said_and_leaves_nothing,
    ),
    (
        "four_containers_fetch_the_same_at_once",
        four_containers_fetch_the_same_at_once,
    ),
];

/// Whoever has a proxy has none here, where nothing leaves this machine.
const PROXIES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

fn main() -> ExitCode {
    call::run(&[(Need::Nothing, &TESTS), (Need::Namespaces, &ISOLATED)])
}

/// A checkout whose table has one kernel, an archive that has its package, and an empty cache.
struct Scene {
    checkout: tempfile::TempDir,
    /// Archive, cache, and what a test puts there.
    dir: tempfile::TempDir,
}

impl Scene {
    fn new(deb: &[u8], sha256: &str) -> Scene {
        let table = "modules = []\n[[kernel]]\nid = \"9.9\"\nsuites = [\"none\"]\nrelease = \"9.9.*\"\n\
                     packages = [\"linux-{release}\"]\n";
        let lock = format!(
            "[[package]]\nof = \"9.9\"\nname = \"linux-9.9.1\"\nversion = \"9.9.1-1\"\n\
             path = \"pool/linux.deb\"\nsize = {}\nsha256 = \"{sha256}\"\n",
            deb.len()
        );
        let checkout = checkout(|root| {
            fs::write(root.join("vm/kernels.toml"), table).unwrap();
            fs::write(root.join("vm/kernels.lock"), lock).unwrap();
        });
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene { checkout, dir };
        for directory in ["archive/debian/pool", "cache"] {
            fs::create_dir_all(scene.path(directory)).unwrap();
        }
        fs::write(scene.path("archive/debian/pool/linux.deb"), deb).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = exetrail(arguments, self.checkout.path(), &self.path("cache"));
        let archive = self.path("archive/debian").display().to_string();
        command.env("EXETRAIL_MIRROR", format!("file:{archive}"));
        for name in PROXIES {
            command.env_remove(name);
        }
        command
    }

    /// A fetch in namespaces of its own, after what a shell does there.
    fn isolated(&self, namespaces: &[&str], script: &str) -> Command {
        let own = self.command(&FETCH);
        let mut command = Command::new("unshare");
        command.arg("--map-root-user").args(namespaces);
        command.args(["sh", "-c", script, "sh"]);
        command.arg(own.get_program()).args(own.get_args());
        command.current_dir(self.checkout.path());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// As from another container: our process ids are none of its.
    fn contained(&self) -> Command {
        self.isolated(&["--pid", "--fork", "--mount-proc"], "exec \"$@\"")
    }

    fn fetch(&self) -> Output {
        self.command(&FETCH).output().unwrap()
    }

    /// Nothing but the private apt root and an empty work directory is in the cache.
    fn is_clean(&self) -> bool {
        let files = |name: &str| fs::read_dir(self.path(name)).map_or(0, Iterator::count);
        files("cache/kernels") == 0 && files("cache/partial") == 0
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A Debian package with a bzImage whose kernel is a few bytes, and a configuration.
fn deb() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in [
        ("./boot/vmlinuz-9.9.1", image()),
        ("./boot/config-9.9.1", b"#".to_vec()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, bytes.as_slice())
            .unwrap();
    }
    package(&tar.into_inner().unwrap())
}

/// A Debian package whose data is this tar archive.
fn package(tar: &[u8]) -> Vec<u8> {
    let mut data = GzEncoder::new(Vec::new(), Compression::fast());
    data.write_all(tar).unwrap();
    let data = data.finish().unwrap();
    let mut deb = ar::Builder::new(Vec::new());
    for (name, bytes) in [
        ("debian-binary", b"2.0\n".as_slice()),
        ("data.tar.gz", &data),
    ] {
        deb.append(&ar::Header::new(name.into(), bytes.len() as u64), bytes)
            .unwrap();
    }
    deb.into_inner().unwrap()
}

fn image() -> Vec<u8> {
    let mut payload = GzEncoder::new(Vec::new(), Compression::fast());
    payload.write_all(b"\x7fELF and so on").unwrap();
    let payload = payload.finish().unwrap();
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e] = 0x80;
    image[0x280..0x285].copy_from_slice(b"9.9.1");
    image[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
    image.extend(payload);
    image
}

fn a_pinned_package_becomes_a_kernel_in_the_cache() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let output = scene.fetch();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(
        fs::read(scene.path("cache/kernels/9.9/vmlinux")).unwrap(),
        b"\x7fELF and so on"
    );
    assert_eq!(
        fs::read_dir(scene.path("cache/partial")).unwrap().count(),
        0
    );
}

fn a_package_with_another_checksum_is_refused_and_nothing_takes_its_place() {
    let scene = Scene::new(&deb(), &sha256(b"another"));
    let output = scene.fetch();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output);
    assert!(
        said.contains("linux-9.9.1 9.9.1-1 is not the package that is pinned"),
        "{said}"
    );
    // The lists were not even asked for.
    assert!(!said.contains("lists"), "{said}");
    assert!(scene.is_clean());
}

fn a_package_that_is_gone_is_looked_for_in_the_lists() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    fs::remove_file(scene.path("archive/debian/pool/linux.deb")).unwrap();
    let output = scene.fetch();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output);
    assert!(
        said.contains("linux-9.9.1 9.9.1-1 is no longer in the archive"),
        "{said}"
    );
    assert!(
        said.contains("newest of the series instead: failed to read the lists"),
        "{said}"
    );
}

fn an_archive_that_cannot_be_reached_is_told_as_such() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let mut command = scene.command(&FETCH);
    // The discard port of this machine (RFC 863), where nobody listens.
    command.env("EXETRAIL_MIRROR", "http://127.0.0.1:9/debian");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output);
    assert!(
        said.contains("failed to download linux-9.9.1") && said.contains("connect"),
        "{said}"
    );
    assert!(!said.contains("no longer in the archive"), "{said}");
}

fn a_truncated_package_is_refused_and_leaves_nothing() {
    let mut cut = deb();
    cut.truncate(cut.len() / 2);
    let scene = Scene::new(&cut, &sha256(&cut));
    let output = scene.fetch();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("failed to read the package"),
        "{}",
        text(&output)
    );
    assert!(scene.is_clean());
}

fn a_package_that_unpacks_to_gigabytes_is_refused_with_the_limit() {
    let mut header = tar::Header::new_gnu();
    header.set_path("boot/vmlinuz-9.9.1").unwrap();
    header.set_size(3 << 30);
    header.set_mode(0o644);
    header.set_cksum();
    let bomb = package(header.as_bytes());
    let output = Scene::new(&bomb, &sha256(&bomb)).fetch();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("limit of 512 MiB"),
        "{}",
        text(&output)
    );
}

fn a_package_whose_names_lead_out_is_refused() {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..8].copy_from_slice(b"../../xy");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    let hostile = package(header.as_bytes());
    let output = Scene::new(&hostile, &sha256(&hostile)).fetch();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("\"../../xy\" has the part"),
        "{}",
        text(&output)
    );
}

fn a_fixture_whose_names_lead_out_writes_nothing_and_names_the_key() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let victim = scene.path("victim");
    let file = scene.checkout.path().join("vm/fixture.toml");
    let table = fs::read_to_string(&file).unwrap();
    let line = format!("{:?} = \"x\"\n", victim.display().to_string());
    fs::write(&file, table + &line).unwrap();
    let output = scene.command(&["fetch", "fixture"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let key = format!(
        "failed to read vm/fixture.toml: texts.{:?}: ",
        victim.display().to_string()
    );
    assert!(text(&output).contains(&key), "{}", text(&output));
    assert!(!victim.exists());
}

fn what_a_killed_run_left_is_removed_and_what_a_living_one_makes_is_not() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let work = |name: &str| {
        fs::create_dir_all(scene.path("cache/partial").join(name)).unwrap();
        let lock = scene.path("cache/partial").join(name).join("lock");
        fs::File::create_new(lock).unwrap()
    };
    drop(work("work-killed"));
    let living = work("work-living");
    living.lock().unwrap();
    let output = scene.contained().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(scene.path("cache/partial/work-living/lock").exists());
    assert!(!scene.path("cache/partial/work-killed").exists());
}

fn a_file_among_the_work_blocks_no_fetch() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    fs::create_dir_all(scene.path("cache/partial")).unwrap();
    scene.write("cache/partial/notes", "mine");
    let output = scene.fetch();
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("partial/notes is no work of this version"),
        "{}",
        text(&output)
    );
    assert!(scene.path("cache/partial/notes").exists());
}

fn a_symlink_in_the_place_of_the_work_is_refused_and_its_target_stays() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    fs::create_dir_all(scene.path("precious/work-of-mine")).unwrap();
    std::os::unix::fs::symlink(scene.path("precious"), scene.path("cache/partial")).unwrap();
    let output = scene.fetch();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("partial is not a directory, but a symlink"),
        "{}",
        text(&output)
    );
    assert!(scene.path("precious/work-of-mine").exists());
}

/// What `exetrail ARGS` says, on both streams.
fn said(scene: &Scene, args: &[&str]) -> String {
    call::text(&scene.command(args).output().unwrap())
}

fn a_damaged_kernel_is_not_used_and_fetched_again() {
    let vmlinux = "cache/kernels/9.9/vmlinux";
    // Cut, another content of the same size, gone, writable by everybody.
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("it has 3 bytes, it should have 14", |file| {
            fs::write(file, "cut").unwrap()
        }),
        ("its sha256 is", |file| {
            fs::write(file, "\x7fELF and so ON").unwrap()
        }),
        ("vmlinux is missing", |file| fs::remove_file(file).unwrap()),
        ("everybody may write to", |file| {
            fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let scene = Scene::new(&deb(), &sha256(&deb()));
        assert!(scene.fetch().status.success());
        damage(&scene.path(vmlinux));
        for args in [&["run", "-k", "9.9", "start/normal"][..], &["kernels"]] {
            let said = said(&scene, args);
            assert!(
                said.contains("vm/setup 9.9 fetches it again"),
                "{args:?}: {said}"
            );
            assert!(
                said.contains("kernels/9.9/vmlinux") && said.contains(what),
                "{said}"
            );
        }
        let output = scene.fetch();
        assert!(output.status.success(), "{}", text(&output));
        let again = "kernel 9.9: fetched again: ";
        assert!(
            text(&output).contains(again) && text(&output).contains(what),
            "{}",
            text(&output)
        );
        assert_eq!(fs::read(scene.path(vmlinux)).unwrap(), b"\x7fELF and so on");
        assert!(!said(&scene, &["kernels"]).contains("fetches it again"));
    }
}

fn a_description_that_is_damaged_or_has_no_checksums_is_not_believed() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let file = scene.path("cache/kernels/9.9/kernel.json");
    assert!(scene.fetch().status.success());
    let whole = fs::read_to_string(&file).unwrap();
    let mut without: serde_json::Value = serde_json::from_str(&whole).unwrap();
    without.as_object_mut().unwrap().remove("contents");
    for (text, what) in [
        ("{".to_owned(), "failed to read "),
        (without.to_string(), "kept no checksums"),
    ] {
        fs::write(&file, text).unwrap();
        let before = said(&scene, &["kernels"]);
        assert!(
            before.contains("kernels/9.9") && before.contains(what),
            "{before}"
        );
        assert!(before.contains("vm/setup 9.9 fetches it again"), "{before}");
        assert!(scene.fetch().status.success());
        assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    }
}

fn a_kernel_that_is_whole_is_not_fetched_again() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    assert!(scene.fetch().status.success());
    let output = scene.fetch();
    let told = "nothing to fetch, all is there and whole: 9.9\n";
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), told);
}

/// A fetch into a cache of so many pages, in a mount namespace of its own; what is left is printed.
fn fetch_with_room(scene: &Scene, pages: usize) -> Output {
    let script = format!(
        "mount -t tmpfs -o size={}k none {} && \"$@\"; status=$?; ls {}; exit $status",
        4 * pages,
        scene.path("cache").display(),
        scene.path("cache/kernels").display(),
    );
    let mut command = scene.isolated(&["--mount"], &script);
    command.output().unwrap()
}

fn a_disk_that_is_full_at_any_write_is_said_and_leaves_nothing() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let mut failed = 0;
    for pages in 1.. {
        assert!(pages < 200, "it never has room enough");
        let output = fetch_with_room(&scene, pages);
        if output.status.success() {
            break;
        }
        failed += 1;
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let said = text(&output);
        assert!(said.contains("No space left on device"), "{said}");
        assert!(
            output.stdout.is_empty(),
            "{pages}: something is left: {said}"
        );
    }
    assert!(failed > 1, "there was room at once");
}

fn four_containers_fetch_the_same_at_once() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    let start = |_| {
        let mut command = scene.contained();
        command.stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let all: Vec<_> = (0..4).map(start).collect();
    for child in all {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    assert!(scene.path("cache/kernels/9.9/vmlinux").exists());
    assert_eq!(
        fs::read_dir(scene.path("cache/partial")).unwrap().count(),
        0
    );
    assert!(!said(&scene, &["kernels"]).contains("fetches it again"));
}

//! Fetching, against an archive on this disk: what is whole is kept, what is not leaves nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A checkout whose table has one kernel, an archive that has its package, and an empty cache.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new(deb: &[u8], sha256: &str) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene { dir };
        for folder in ["checkout/vm", "archive/debian/pool", "cache"] {
            fs::create_dir_all(scene.path(folder)).unwrap();
        }
        for file in ["Cargo.toml", "vm/fixture.toml", "vm/fixture.lock"] {
            let place = scene.path("checkout").join(file);
            fs::copy(Path::new(ROOT).join(file), place).unwrap();
        }
        scene.write(
            "checkout/vm/kernels.toml",
            "modules = []\n[[kernel]]\nid = \"9.9\"\nsuites = [\"none\"]\nrelease = \"9.9.*\"\n\
             packages = [\"linux-{release}\"]\n",
        );
        let lock = format!(
            "[[package]]\nof = \"9.9\"\nname = \"linux-9.9.1\"\nversion = \"9.9.1-1\"\n\
             path = \"pool/linux.deb\"\nsize = {}\nsha256 = \"{sha256}\"\n",
            deb.len()
        );
        scene.write("checkout/vm/kernels.lock", &lock);
        fs::write(scene.path("archive/debian/pool/linux.deb"), deb).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("checkout"))
            .env("EXETRAIL_CACHE", self.path("cache"))
            .env(
                "EXETRAIL_MIRROR",
                format!("file:{}", self.path("archive/debian").display()),
            );
        command
    }

    fn fetch(&self) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_exetrail"));
        command
            .args(["fetch", "--no-fixture", "9.9"])
            .output()
            .unwrap()
    }

    /// Nothing but the private apt root and an empty work folder is in the cache.
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
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
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
    let data = tar.into_inner().unwrap().finish().unwrap();
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

#[test]
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

#[test]
fn a_package_with_another_checksum_is_refused_and_leaves_nothing() {
    let scene = Scene::new(&deb(), &sha256(b"another"));
    let output = scene.fetch();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("linux-9.9.1"), "{}", text(&output));
    assert!(scene.is_clean());
}

#[test]
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

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    // No process has this id: it is beyond the largest that the kernel gives out (2^22).
    fs::create_dir_all(scene.path("cache/partial/4194305-abc/new")).unwrap();
    assert!(scene.fetch().status.success());
    assert!(!scene.path("cache/partial/4194305-abc").exists());
}

#[test]
fn a_damaged_cache_names_the_file_and_the_way_out() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    assert!(scene.fetch().status.success());
    scene.write("cache/kernels/9.9/kernel.json", "{");
    let mut command = scene.command(env!("CARGO_BIN_EXE_exetrail"));
    let output = command.arg("kernels").output().unwrap();
    assert!(
        text(&output).contains("kernels/9.9/kernel.json: remove"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let scene = Scene::new(&deb(), &sha256(&deb()));
    // A cache of four pages, in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs -o size=16k none {} && {} fetch --no-fixture 9.9; status=$?; \
         ls {}; exit $status",
        scene.path("cache").display(),
        env!("CARGO_BIN_EXE_exetrail"),
        scene.path("cache/kernels").display(),
    );
    let mut command = scene.command("unshare");
    let output = command
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("No space left on device"),
        "{}",
        text(&output)
    );
    assert!(output.stdout.is_empty(), "something is left in the cache");
}

//! Cases that were played, as the model was told of them and as they were seen: they are judged again
//! without a kernel, whatever becomes of the model.
//!
//! `exetrail model --keep DIRECTORY` writes them; those in `src/cases/kept/` are judged by the tests here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use liblzma::read::XzDecoder;
use liblzma::write::XzEncoder;
use serde::{Deserialize, Serialize};

use crate::model::{self, Call, Witness, World};
use crate::trail::{Agreement, Release, Trail};

/// How hard it is packed: what is kept is small, and read more often than written.
const PACKED: u32 = 9;

/// One start of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The case.
    pub seed: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The call, where the model was told of it.
    pub call: Option<Call>,
    /// What it asked of the files.
    pub world: World,
    /// What was seen.
    pub trail: Trail,
    /// The watch ended in the middle.
    pub cut: bool,
}

impl Kept {
    /// Holds it against the model.
    ///
    /// # Errors
    ///
    /// The release is none.
    pub fn judge(&self) -> Result<Agreement> {
        let kernel = Release::of(&self.kernel);
        Ok(model::check(&Witness {
            trail: &self.trail,
            call: self.call.as_ref(),
            files: &self.world,
            kernel: kernel.with_context(|| format!("{} is no release", self.kernel))?,
            cut: self.cut,
        }))
    }
}

/// The file of them, a line each.
///
/// # Errors
///
/// They cannot be packed.
pub fn packed(all: &[Kept]) -> Result<Vec<u8>> {
    let mut out = XzEncoder::new(Vec::new(), PACKED);
    for one in all {
        serde_json::to_writer(&mut out, one)?;
        out.write_all(b"\n")?;
    }
    out.finish().context("failed to pack the cases")
}

/// Reads them from a file.
///
/// # Errors
///
/// The file cannot be read, or is none of these.
pub fn read(file: &Path) -> Result<Vec<Kept>> {
    let context = || format!("failed to read {}", file.display());
    let bytes = std::fs::File::open(file).with_context(context)?;
    let lines = BufReader::new(XzDecoder::new(bytes)).lines();
    let one = |line: std::io::Result<String>| {
        serde_json::from_str(&line.with_context(context)?).with_context(context)
    };
    lines.map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use super::*;
    use crate::case::{Case, Way};
    use crate::model::{Answer, Reach, Target};

    /// All starts of the first seeds on three kernels; of others, on all kernels, those that reach what these do not, or that
    /// the model was once wrong about; and starts of the first seeds from `RARE` on, and from `POINTED` on.
    const FILES: [&str; 6] = ["5.10", "6.12", "7.3", "chosen", "rare", "pointed"];

    static KEPT: LazyLock<[Vec<Kept>; FILES.len()]> = LazyLock::new(|| {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases/kept");
        FILES.map(|file| read(&place.join(format!("{file}.xz"))).unwrap())
    });

    fn all() -> impl Iterator<Item = &'static Kept> {
        KEPT.iter().flatten()
    }

    /// How much of each file the model explains: a model that says less of a start disagrees with nothing.
    fn explained() -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases/kept/explained");
        std::fs::read_to_string(file).unwrap()
    }

    #[test]
    fn the_model_agrees_with_what_was_kept() {
        let mut wrong = Vec::new();
        let mut explained = String::new();
        for (file, starts) in FILES.iter().zip(KEPT.iter()) {
            let mut unknown = BTreeMap::<String, usize>::new();
            let mut sum = Agreement::default();
            for kept in starts {
                let mut found = kept.judge().unwrap();
                let texts = found.disagreements.drain(..).chain(found.renamed.drain(..));
                wrong.extend(
                    texts.map(|text| format!("seed {} on {}: {text}", kept.seed, kept.kernel)),
                );
                for reason in &found.unknown {
                    *unknown.entry(reason.clone()).or_default() += 1;
                }
                sum.add(found);
            }
            let (starts, kernel, loader, own) = (sum.starts, sum.kernel, sum.loader, sum.own);
            explained += &format!(
                "{file}: {starts} starts; steps of the kernel {kernel}, of the loader {loader}, of programs {own}\n"
            );
            for (reason, count) in unknown {
                explained += &format!("{file}: not predicted, {count}: {reason}\n");
            }
        }
        assert_eq!(wrong, [""; 0]);
        assert_eq!(explained, self::explained());
    }

    /// What the kept cases do not reach, an id a line: it may only become less.
    fn unreached() -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases/kept/unreached");
        std::fs::read_to_string(file).unwrap()
    }

    #[test]
    fn every_other_rule_and_difference_is_reached() {
        // A kernel on which a listener may wait for itself: nothing is kept of it.
        let further = Release::of("6.16").unwrap();
        let ((), reach) = Reach::of(|| {
            for kept in all() {
                kept.judge().unwrap();
                if let Some(call) = &kept.call {
                    model::exec(&kept.world, call, further, &mut |_| Answer::Go);
                }
            }
        });
        let missing = reach.missing().join("\n") + "\n";
        assert_eq!(missing, unreached());
    }

    /// What of a call is otherwise than its case says, as far as a call has it.
    fn other(call: &Call, case: &Case) -> Option<&'static str> {
        let exec = &case.exec;
        let path = match &call.target {
            Target::Path(path) | Target::At { path, .. } => path,
        };
        let path_is = match exec.call {
            // Of the descriptor that fexecve(3) makes of it.
            Way::Fexecve => path.is_empty(),
            _ => *path == exec.path,
        };
        let (first, rest) = call.argv.split_first().unzip();
        let argv_is = match exec.no_arguments {
            true => call.argv == exec.arguments,
            false => {
                rest == Some(&exec.arguments[..])
                    && exec.argv0.as_ref().is_none_or(|own| first == Some(own))
            }
        };
        let variables = exec.environment.iter();
        let mut variables = variables.map(|(name, value)| format!("{name}={value}"));
        let filtered = exec.filtered.as_ref();
        [
            (path_is, "path"),
            (argv_is, "arguments"),
            (
                variables.all(|one| call.environment.contains(&one)),
                "environment",
            ),
            (call.filtered.as_ref() == filtered, "filter"),
            (call.formats.len() >= case.formats.len(), "formats"),
        ]
        .into_iter()
        .find_map(|(is_it, what)| (!is_it).then_some(what))
    }

    #[test]
    fn what_is_kept_is_what_the_seeds_mean_now() {
        let mut stale = Vec::new();
        for (file, starts) in FILES.iter().zip(KEPT.iter()) {
            let called = starts
                .iter()
                .filter_map(|kept| Some((kept, kept.call.as_ref()?)));
            stale.extend(called.filter_map(|(kept, call)| {
                let other = other(call, &super::super::of(kept.seed))?;
                Some(format!("{file}: seed {}: another {other}", kept.seed))
            }));
        }
        assert_eq!(stale, [""; 0], "keep the cases anew");
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.xz");
        std::fs::write(&file, packed(&KEPT[0][..2]).unwrap()).unwrap();
        assert_eq!(read(&file).unwrap(), KEPT[0][..2]);
    }
}

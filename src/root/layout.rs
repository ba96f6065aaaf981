//! An OCI image layout: which archives are an image's layers (image-layout.md, image-index.md, manifest.md).
//!
//! Whatever is named by a digest is held against it before it is believed.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Sha256, Sha512};

use super::closure::Foreign;
use super::{LIMIT, hex};
use crate::bound;

/// How long an index, a manifest or a configuration may be.
const LONGEST: u64 = 16 << 20;
/// The name that an image has in a layout.
const NAME: &str = "org.opencontainers.image.ref.name";

/// A file of a layout with the digest that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Where it is.
    pub path: PathBuf,
    digest: Digest,
}

/// The digest of a content, `sha256:HEX`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Digest {
    kind: Kind,
    sum: String,
}

/// Algorithms of digests that are registered (descriptor.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sha256,
    Sha512,
}

/// The layers of an image, the lowest first.
#[derive(Debug)]
pub struct Layers {
    /// Their archives.
    pub blobs: Vec<Blob>,
    /// What is to be said of the choice of this image.
    pub note: Option<String>,
}

/// An index or a manifest.
#[derive(Deserialize)]
struct Node {
    manifests: Option<Vec<Descriptor>>,
    layers: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A platform, as a descriptor or an image's configuration says it.
#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// The layers of a layout's image for these kernels; where foreign programs are taken, of its first image else.
///
/// # Errors
///
/// A file is missing or damaged, or there is no such image.
pub fn layers(layout: &Path, foreign: Foreign) -> Result<Layers> {
    let index = layout.join("index.json");
    let mut node: Node = json(&bound::file(&index, LONGEST)?, &index)?;
    let mut note = None;
    // An index may name an index, once.
    for _ in 0..2 {
        let Some(manifests) = &node.manifests else {
            break;
        };
        let chosen = choose(manifests, foreign)?;
        note = note.or_else(|| several(manifests, chosen));
        let blob = Blob::of(layout, &chosen.digest)?;
        node = json(&blob.read()?, &blob.path)?;
    }
    if node.manifests.is_some() {
        bail!("its index names an index that names an index");
    }
    let layers = node.layers.context("its manifest has no layers")?;
    if let Some(config) = &node.config {
        let blob = Blob::of(layout, &config.digest)?;
        let platform: Platform = json(&blob.read()?, &blob.path)?;
        if foreign == Foreign::Refused && !platform.fits() {
            bail!(another([&platform]));
        }
    }
    let blobs = layers.iter().map(|layer| Blob::of(layout, &layer.digest));
    Ok(Layers {
        blobs: blobs.collect::<Result<_>>()?,
        note,
    })
}

/// The image of an index that runs on these kernels.
fn choose(manifests: &[Descriptor], foreign: Foreign) -> Result<&Descriptor> {
    let fits = |one: &&Descriptor| one.platform.as_ref().is_none_or(Platform::fits);
    let other = |one: &&Descriptor| {
        let platform = one.platform.as_ref();
        foreign == Foreign::Taken && platform.is_some_and(|platform| platform.os == "linux")
    };
    let chosen = manifests.iter().find(fits);
    let chosen = chosen.or_else(|| manifests.iter().find(other));
    chosen.with_context(|| another(manifests.iter().filter_map(|one| one.platform.as_ref())))
}

impl Platform {
    /// Whether these kernels run its programs; what says nothing is no contradiction.
    fn fits(&self) -> bool {
        matches!(self.os.as_str(), "" | "linux")
            && matches!(self.architecture.as_str(), "" | "amd64")
    }
}

/// Why there is no image for these kernels.
fn another<'a>(platforms: impl IntoIterator<Item = &'a Platform>) -> String {
    let names = platforms.into_iter();
    let names: Vec<_> = names
        .map(|platform| format!("{}/{}", platform.os, platform.architecture))
        .collect();
    match names.is_empty() {
        true => "its index names no image".to_owned(),
        false => format!(
            "it is an image for {}, and these kernels are for linux/amd64: take that platform of it, or give its programs an \
             interpreter with --binfmt",
            names.join(", ")
        ),
    }
}

/// A note where an index names other images under names of their own.
fn several(manifests: &[Descriptor], chosen: &Descriptor) -> Option<String> {
    let name = |one: &Descriptor| one.annotations.get(NAME).cloned();
    let others = manifests
        .iter()
        .filter(|one| one.digest != chosen.digest)
        .filter_map(name);
    let others: Vec<_> = others.collect();
    let own = name(chosen).unwrap_or_else(|| chosen.digest.clone());
    (!others.is_empty()).then(|| {
        format!(
            "note: the root is the first image of the layout, {own:?}, and not {:?}",
            others.join(", ")
        )
    })
}

fn json<T: serde::de::DeserializeOwned>(text: &[u8], path: &Path) -> Result<T> {
    serde_json::from_slice(text).with_context(|| format!("failed to read {}", path.display()))
}

impl Blob {
    pub(super) fn of(layout: &Path, digest: &str) -> Result<Blob> {
        let digest = Digest::parse(digest)?;
        let directory = layout.join("blobs").join(digest.kind.name());
        Ok(Blob {
            path: directory.join(&digest.sum),
            digest,
        })
    }

    /// A short one, when it is what its digest says.
    fn read(&self) -> Result<Vec<u8>> {
        let bytes = bound::file(&self.path, LONGEST)?;
        self.holds(bytes.as_slice())?;
        Ok(bytes)
    }

    /// Reads it to its end, and holds it against its digest.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is another content.
    pub fn check(&self) -> Result<()> {
        self.holds(bound::open(&self.path, LIMIT)?)
    }

    fn holds(&self, from: impl Read) -> Result<()> {
        let context = || format!("failed to read {}", self.path.display());
        let sum = self.digest.kind.sum(from).with_context(context)?;
        ensure!(
            sum == self.digest.sum,
            "the blob {} is damaged, or another one: the digest of its content is {sum}",
            self.digest
        );
        Ok(())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Sha256 => "sha256",
            Kind::Sha512 => "sha512",
        }
    }

    fn sum(self, from: impl Read) -> io::Result<String> {
        let sum = match self {
            Kind::Sha256 => hashed::<Sha256>(from)?,
            Kind::Sha512 => hashed::<Sha512>(from)?,
        };
        Ok(hex(&sum))
    }
}

fn hashed<H: sha2::Digest>(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut hasher = H::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(hasher.finalize().to_vec()),
            count => hasher.update(&piece[..count]),
        }
    }
}

impl Digest {
    /// Reads one, which is foreign input and becomes part of a path.
    fn parse(text: &str) -> Result<Digest> {
        let (kind, sum) = text.split_once(':').unwrap_or_default();
        let (kind, length) = match kind {
            "sha256" => (Kind::Sha256, 64),
            "sha512" => (Kind::Sha512, 128),
            _ => bail!("{text:?} is no digest by sha256 or sha512"),
        };
        let is_hex = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
        ensure!(
            sum.len() == length && sum.bytes().all(is_hex),
            "{text:?} is no digest"
        );
        Ok(Digest {
            kind,
            sum: sum.to_owned(),
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.sum)
    }
}

#[cfg(test)]
mod tests;

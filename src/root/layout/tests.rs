use std::fs;

use sha2::Digest as _;

use super::*;

/// A layout in the making.
struct Made(tempfile::TempDir);

impl Made {
    fn new() -> Made {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        Made(dir)
    }

    /// Adds a blob; returns its digest.
    fn blob(&self, content: &str) -> String {
        let sum = hex(&Sha256::digest(content));
        let place = self.0.path().join("blobs/sha256").join(&sum);
        fs::write(place, content).unwrap();
        format!("sha256:{sum}")
    }

    /// Adds a manifest of one layer, whose configuration is for this architecture.
    fn manifest(&self, layer: &str, architecture: &str) -> String {
        let config = format!(r#"{{"architecture":"{architecture}","os":"linux"}}"#);
        let (config, layer) = (self.blob(&config), self.blob(layer));
        let layers = format!(r#"[{{"digest":"{layer}"}}]"#);
        self.blob(&format!(
            r#"{{"config":{{"digest":"{config}"}},"layers":{layers}}}"#
        ))
    }

    fn layers(&self, index: &str, foreign: Foreign) -> Result<Layers> {
        fs::write(self.0.path().join("index.json"), index).unwrap();
        layers(self.0.path(), foreign)
    }

    /// The content of the only layer of an image that an index names.
    fn layer(&self, index: &str) -> String {
        let layers = self.layers(index, Foreign::Refused).unwrap();
        let [layer] = layers.blobs.as_slice() else {
            panic!("{layers:?}");
        };
        layer.check().unwrap();
        fs::read_to_string(&layer.path).unwrap()
    }

    fn refused(&self, index: &str) -> String {
        format!("{:#}", self.layers(index, Foreign::Refused).unwrap_err())
    }
}

fn index(manifests: &[String]) -> String {
    format!(r#"{{"manifests":[{}]}}"#, manifests.join(","))
}

fn named(digest: &str) -> String {
    format!(r#"{{"digest":"{digest}"}}"#)
}

fn of_platform(digest: &str, architecture: &str) -> String {
    format!(
        r#"{{"digest":"{digest}","platform":{{"os":"linux","architecture":"{architecture}"}}}}"#
    )
}

#[test]
fn the_image_for_these_kernels_is_chosen_also_of_an_index_of_an_index() {
    let made = Made::new();
    let (wrong, right) = (made.manifest("a", "arm64"), made.manifest("b", "amd64"));
    let manifests = [of_platform(&wrong, "arm64"), of_platform(&right, "amd64")];
    assert_eq!(made.layer(&index(&manifests)), "b");
    let inner = made.blob(&index(&manifests));
    assert_eq!(made.layer(&index(&[named(&inner)])), "b");
    let deeper = made.blob(&index(&[named(&inner)]));
    let error = made.refused(&index(&[named(&deeper)]));
    assert!(error.contains("names an index that names"), "{error}");
}

#[test]
fn an_image_for_another_machine_is_refused_unless_something_runs_it() {
    let made = Made::new();
    let manifest = made.manifest("a", "arm64");
    for index in [
        index(&[named(&manifest)]),
        index(&[of_platform(&manifest, "arm64")]),
    ] {
        let error = made.refused(&index);
        assert!(error.contains("an image for linux/arm64"), "{error}");
        made.layers(&index, Foreign::Taken).unwrap();
    }
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_named() {
    let made = Made::new();
    let manifest = made.manifest("a", "amd64");
    let layers = made.layers(&index(&[named(&manifest)]), Foreign::Refused);
    let layers = layers.unwrap();
    fs::write(&layers.blobs[0].path, "b").unwrap();
    let error = layers.blobs[0].check().unwrap_err().to_string();
    let layer = made.blob("a");
    assert!(
        error.starts_with(&format!("the blob {layer} is damaged")),
        "{error}"
    );
    let (_, sum) = manifest.split_once(':').unwrap();
    fs::write(made.0.path().join("blobs/sha256").join(sum), "{}").unwrap();
    let error = made.refused(&index(&[named(&manifest)]));
    assert!(
        error.contains(&format!("the blob {manifest} is damaged")),
        "{error}"
    );
}

#[test]
fn the_first_of_several_images_is_named() {
    let made = Made::new();
    let manifests = ["a", "b"].map(|name| {
        let digest = made.manifest(name, "amd64");
        format!(r#"{{"digest":"{digest}","annotations":{{"{NAME}":"{name}"}}}}"#)
    });
    let note = made
        .layers(&index(&manifests), Foreign::Refused)
        .unwrap()
        .note;
    assert!(note.unwrap().contains("\"a\", and not \"b\""));
    let note = made.layers(&index(&manifests[..1]), Foreign::Refused);
    assert_eq!(note.unwrap().note, None);
}

#[test]
fn a_digest_is_no_path() {
    let sum = "../".repeat(21) + "x";
    for text in [format!("sha256:{sum}"), "sha256:aa".into(), "md5:a".into()] {
        let error = Digest::parse(&text).unwrap_err().to_string();
        assert!(error.contains("is no digest"), "{error}");
    }
}

//! The forms in which commands answer that boot nothing.

use std::path::Path;

use serde_json::Value;

use super::call::{ROOT, exetrail};

/// What a call writes, and how it ends.
fn said(arguments: &[&str]) -> (String, Option<i32>) {
    let cache = tempfile::tempdir().unwrap();
    let output = exetrail(arguments, Path::new(ROOT), cache.path()).output();
    let output = output.unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_kernels_are_a_matrix_of_a_workflow_and_objects() {
    let (text, status) = said(&["kernels", "--format", "github-matrix"]);
    let matrix: Value = serde_json::from_str(&text).unwrap();
    let ids = matrix["kernel"].as_array().unwrap();
    assert!(ids.len() > 10 && ids.contains(&"6.12".into()), "{text}");
    let (text, _) = said(&["kernels", "--format", "json"]);
    let kernels = lines(&text);
    assert_eq!((kernels.len(), status), (ids.len(), Some(0)));
    assert!(
        kernels.iter().any(|kernel| kernel["id"] == "6.12"),
        "{text}"
    );
}

#[test]
fn scenarios_are_listed_as_text_and_as_objects() {
    let (text, status) = said(&["list", "start/shebang"]);
    assert!(
        text.contains("start/shebang") && status == Some(0),
        "{text}"
    );
    let (text, _) = said(&["list", "start/shebang", "--format", "json"]);
    let [scenario] = lines(&text).try_into().unwrap();
    assert_eq!(scenario["scenario"], "start/shebang");
}

#[test]
fn a_difference_is_an_object_and_a_page() {
    let call = ["diff", "5.10", "7.3", "start/fexecve", "--format"];
    let (text, status) = said(&[&call[..], &["json"]].concat());
    let [found] = lines(&text).try_into().unwrap();
    assert_eq!(
        (&found["scenario"], status),
        (&"start/fexecve".into(), Some(1))
    );
    assert_eq!(found["new"]["kernel"], "7.3");
    let (text, _) = said(&[&call[..], &["markdown"]].concat());
    assert!(text.starts_with("### start/fexecve\n\n- "), "{text}");
    assert!(text.contains("\n```diff\n--- 5.10 (snapshot of "), "{text}");
}

#[test]
fn a_history_is_an_object_for_each_behaviour_and_a_page() {
    let call = ["history", "start/fexecve", "--format"];
    let (text, status) = said(&[&call[..], &["json"]].concat());
    let behaviours = lines(&text);
    assert_eq!(
        (behaviours[0]["kernel"].as_str(), status),
        (Some("5.10"), Some(0))
    );
    assert!(
        behaviours.len() > 1 && behaviours[1]["change"].is_object(),
        "{text}"
    );
    let (text, _) = said(&[&call[..], &["markdown"]].concat());
    assert!(
        text.starts_with("## start/fexecve\n\n### 5.10\n\n"),
        "{text}"
    );
}

/// A command that takes one kernel twice, and all with one, tells of each once.
#[test]
fn a_kernel_that_is_named_twice_is_told_of_once() {
    for name in ["contract", "observers"] {
        let json = |kernels: &str| said(&[name, "-k", kernels, "--format", "json"]).0;
        let one = json("6.12");
        assert!(!one.is_empty());
        assert_eq!(json("6.12,6.12"), one, "{name}");
        assert_eq!(json("all,6.12"), json("all"), "{name}");
    }
}

//! What a hostile record says, through every form of output: nothing of it is obeyed, and
//! no line is forged.

use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::html::{Chapter, page};
use super::{Colour, FormatName, Said, Show};
use crate::trail::Agreement;
use crate::view::{Record, rows};

/// Each of these in every string that a record or a guest may fill; after it a line of ours.
const HOSTILE: [&str; 9] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\n",
    "\r",
    "\r\n",
    "\u{202e}",
    "\u{2028}",
    "\u{85}",
    "\u{9b}31m",
    "\u{200b}\u{feff}",
];

/// Lines that would be taken for ours where they begin one.
const FORGED: [&str; 4] = [
    "ok 1 start/forged",
    "perm=open pid=p1 exe=/forged : path=/forged",
    "### start/forged on 6.12: same",
    "</pre><script>forged()</script>",
];

fn texts() -> impl Iterator<Item = String> {
    HOSTILE
        .iter()
        .flat_map(|hostile| FORGED.map(|forged| format!("a{hostile}{forged}")))
}

/// A record with this text wherever the reader takes one; its views are changed and broken.
fn record(text: &str) -> Record {
    let fact = json!({"name": "x", "value": text});
    let with = |mut one: Value, more: &Value| {
        for (key, value) in more.as_object().unwrap() {
            one[key] = value.clone();
        }
        one
    };
    let trail = json!({
        "started": [{"process": "p1", "by": "launcher", "call": "execve", "path": text}],
        "trail": [{
            "process": "p1", "parent": "launcher", "step": "open", "mask": "0x10000",
            "exe": format!("/{text}"), "exe_link": true, "comm": text, "path": text,
        }],
        "ended": [{"process": "p1", "exit": 0}],
        "told": [{
            "process": "p1", "execfn": text, "execfd": 3, "execfd_path": text, "comm": text,
            "exe": text, "argv": [text, text],
        }],
        "found": [with(fact.clone(), &json!({"process": "p1"}))],
        "verdicts": [{"claim": "a/b", "verdict": "holds", "evidence": text}],
        "facts": [fact],
    });
    let mark = json!({"process": "p1", "stage": "open", "symbol": "f", "detail": text});
    let stages = json!({"stages": [mark, trail["trail"][0]]});
    let judged = json!({"owner": "5.10", "diff": format!("-a\n+{text}\n")});
    serde_json::from_value(json!({
        "schema": 2,
        "scenario": "start/normal",
        "kernel": {
            "id": "6.12", "release": text, "flavour": text, "arch": text, "lab": "vm",
        },
        "seen": [
            {"view": "trail", "outcome": "changed", "reason": null, "body": trail, "judged": judged},
            {"view": "stages", "outcome": "broken", "reason": text, "body": stages},
        ],
        "model": Agreement {
            disagreements: vec![text.to_owned()],
            unknown: vec![text.to_owned()],
            ..Agreement::default()
        },
    }))
    .unwrap()
}

/// The lines that a reader of this form could take for ours.
fn own_lines(form: FormatName, shown: &str) -> Vec<&str> {
    let mut fence = None;
    let outside = |line: &&str| {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(own) if ticks == own && line.len() == own => fence = None,
            Some(_) => return false,
            None => {}
        }
        true
    };
    match form {
        FormatName::Markdown => shown.lines().filter(outside).collect(),
        FormatName::Ktap => shown.lines().map(str::trim_start).collect(),
        // In XML a line is none, and what begins an element is escaped.
        FormatName::Junit => shown.split(['<', '>']).collect(),
        FormatName::Text | FormatName::Json | FormatName::Fapolicyd => shown.lines().collect(),
    }
}

fn is_hidden(character: char) -> bool {
    character != '\n' && (character.is_control() || format!("{character:?}").contains("\\u"))
}

#[test]
fn a_record_is_shown_without_effect_in_every_format() {
    for text in texts() {
        let records = [record(&text)];
        let note = records[0].kernel.release.clone();
        for form in FormatName::value_variants() {
            // JSON says its notes on standard error.
            let said = Said {
                notes: match form {
                    FormatName::Json => Vec::new(),
                    _ => vec![note.clone()],
                },
                interrupted: Some(note.clone()),
                accepted: None,
            };
            let mut format = form.make(Colour::No, Some(Show::All), &[]);
            let mut out = Vec::new();
            format.record(&records[0], &mut out).unwrap();
            format.end(&rows(&records), &said, &mut out).unwrap();
            let shown = String::from_utf8(out).unwrap();
            assert!(
                !shown.contains(is_hidden),
                "{form:?} with {text:?}:\n{shown}"
            );
            for line in own_lines(*form, &shown) {
                let forged = FORGED.iter().any(|forged| line.starts_with(forged));
                assert!(!forged, "{form:?} with {text:?}:\n{shown}");
            }
        }
    }
}

#[test]
fn a_record_is_shown_without_effect_on_the_page() {
    for text in texts() {
        let chapter = Chapter {
            name: "start/normal".into(),
            summary: String::new(),
            docs: String::new(),
            accepted: Vec::new(),
        };
        let shown = page(&[record(&text)], &[chapter], "test").unwrap();
        assert!(!shown.contains("<script>forged"), "{text:?}");
        let own = super::html::page(&[], &[], "test").unwrap();
        let hidden = |c: &char| format!("{c:?}").contains("\\u{") || *c == '\r';
        let count = |page: &str| {
            page.chars()
                .filter(hidden)
                .filter(|c| *c != '\u{200b}')
                .count()
        };
        assert_eq!(count(&shown), count(&own), "{text:?}");
    }
}

//! What the further views say of a scenario that have no marks in its picture, kernel by kernel.

use serde::Serialize;
use similar::TextDiff;

use crate::view::{AnyView, Record, TRAIL, VIEWS};

/// One view of a scenario, beside the trail.
#[derive(Debug, Serialize)]
pub struct Further {
    view: &'static str,
    about: &'static str,
    texts: Vec<Text>,
}

/// One text with the kernels that show it.
#[derive(Debug, Serialize)]
struct Text {
    kernels: Vec<String>,
    /// The first one as a whole, the others as a difference from the one before.
    text: String,
}

/// The further views of a scenario that saw anything, in the order of the kernels.
pub fn further(records: &[&Record]) -> Vec<Further> {
    let views = VIEWS.iter().filter(|view| view.name() != TRAIL);
    let all = views.map(|view| Further {
        view: view.name().as_str(),
        about: view.about(),
        texts: texts(*view, records),
    });
    all.filter(|further| !further.texts.is_empty()).collect()
}

fn texts(view: &dyn AnyView, records: &[&Record]) -> Vec<Text> {
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    for record in records {
        let seen_here = record.of(view.name()).and_then(|seen| seen.body.as_ref());
        let Some(body) = seen_here.filter(|body| view.marks(body).is_empty()) else {
            continue;
        };
        let text = view.text(body);
        let kernel = record.kernel.label().to_owned();
        match seen.iter_mut().find(|(known, _)| *known == text) {
            Some((_, kernels)) => kernels.push(kernel),
            None => seen.push((text, vec![kernel])),
        }
    }
    let mut before: Option<String> = None;
    let text = |(text, kernels): (String, Vec<String>)| {
        let shown = match &before {
            None => text.clone(),
            Some(before) => TextDiff::from_lines(before.as_str(), text.as_str())
                .unified_diff()
                .context_radius(1)
                .to_string(),
        };
        before = Some(text);
        Text {
            kernels,
            text: shown,
        }
    };
    seen.into_iter().map(text).collect()
}

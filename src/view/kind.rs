//! What a view is: the trait that its file implements, and the one by which everybody else calls it.

use std::fmt::Debug;
use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Body, Paint, ViewName};
use crate::diff::{Comparison, Side};
use crate::event::Report;
use crate::scenario::Registered;
use crate::trail::{Outcome, Trail};
use crate::wire::Lost;

/// One mark of a view on the lane of a process, between two steps of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it is called.
    pub name: String,
    /// Where it comes from, and what more was seen.
    pub seen: String,
    /// Whether its name is told where marks are folded.
    pub named: bool,
    /// What it changes of the process.
    pub turns: Option<Turn>,
}

/// A change of what a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What changes.
    pub what: Identity,
    /// What it becomes; none where the view does not know.
    pub to: Option<String>,
}

/// What a process is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// Target of `/proc/PID/exe`.
    Exe,
    /// Its comm.
    Comm,
    /// Its credentials.
    Credentials,
    /// Its parent.
    Parent,
}

impl Identity {
    /// Its name, as the trail's text has it where it has one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Identity::Exe => "exe",
            Identity::Comm => "comm",
            Identity::Credentials => "credentials",
            Identity::Parent => "parent",
        }
    }
}

/// The marks of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its name, as in the trail.
    pub process: String,
    /// Those before each of its steps, and those after the last one.
    pub groups: Vec<Vec<Mark>>,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// What a reader in a hurry wants.
    Brief,
    /// Everything that was observed.
    Full,
}

/// What is done with one view. Few of its items have no default.
pub trait View: Debug + Sync + 'static {
    /// What it saw of one scenario.
    type Body: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Its name, which is its observer's as well.
    const NAME: ViewName;
    /// What it shows, in a line for help and lists.
    const ABOUT: &'static str;
    /// The scenarios that it applies to, in words that follow "of".
    const WHOM: &'static str;

    /// Whether it applies to a scenario.
    fn applies(scenario: &Registered) -> bool;

    /// The JSON schema of the body in a record; `true` says nothing of it.
    #[cfg(test)]
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }

    /// Reads what the observer sent, beside the trail of the same run.
    ///
    /// # Errors
    ///
    /// Nothing that the observer would have sent.
    fn unpack(sent: Value, trail: &Trail) -> Result<Self::Body, String> {
        Self::read(sent, trail)
    }

    /// The body as a record has it.
    fn write(body: &Self::Body) -> Value {
        // Bodies are plain data, which serde_json writes without fail.
        serde_json::to_value(body).unwrap_or_default()
    }

    /// Reads the body of a record, beside the record's trail.
    ///
    /// # Errors
    ///
    /// Nothing that [`View::write`] would have written.
    fn read(kept: Value, _trail: &Trail) -> Result<Self::Body, String> {
        serde_json::from_value(kept).map_err(|error| error.to_string())
    }

    /// The text that snapshots have.
    fn text(body: &Self::Body) -> String;

    /// Reads such a text back.
    ///
    /// # Errors
    ///
    /// The first line that the view does not have.
    fn parse(text: &str) -> Result<Self::Body>;

    /// Names of what the observer wants and found missing, of [`crate::observer::Kind::wants`].
    fn lacks(_: &Self::Body) -> &[String] {
        &[]
    }

    /// What of a text a kernel can show that lacks the same as this body's; none where that is all.
    fn fit(_: &Self::Body, _: &str) -> Option<String> {
        None
    }

    /// What a loss makes of the view: broken, unless the view knows better.
    fn judge(lost: Lost) -> Option<(Outcome, String)> {
        let reason = || format!("{} reports of the observer were lost", lost.missed);
        (lost.missed > 0).then(|| (Outcome::Broken, reason()))
    }

    /// What a body says as well when its observer has changed what it watched: the trail without it is
    /// known, and the one of its own run.
    #[must_use]
    fn beside(body: &Self::Body, _without: &Trail, _with: &Trail) -> Self::Body {
        body.clone()
    }

    /// Compares two bodies in words and as a text diff.
    fn compare(scenario: &str, old: (Side, &Self::Body), new: (Side, &Self::Body)) -> Comparison {
        let (before, after) = (Self::text(old.1), Self::text(new.1));
        // What one of the two was built without is no difference between them.
        let before = Self::fit(new.1, &before).unwrap_or(before);
        let after = Self::fit(old.1, &after).unwrap_or(after);
        let words = match before == after {
            true => Vec::new(),
            false => Self::words((&old.0, old.1), (&new.0, new.1)),
        };
        Comparison::of_texts(scenario, (old.0, &before), (new.0, &after), words)
    }

    /// What differs between two bodies whose texts do, in words; none where only the text can tell.
    fn words(_old: (&Side, &Self::Body), _new: (&Side, &Self::Body)) -> Vec<String> {
        Vec::new()
    }

    /// The story in words; none for a view that has nothing to tell beyond its text.
    fn explain(_: &Self::Body, _: Length) -> Option<String> {
        None
    }

    /// What it reports of execs, for the table of observers; none for a view that reports none.
    fn report(_: &Self::Body) -> Option<Report> {
        None
    }

    /// Shows a body on a terminal.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn show(body: &Self::Body, _: &Paint, out: &mut dyn Write) -> io::Result<()> {
        let text = Self::text(body);
        text.lines()
            .try_for_each(|line| writeln!(out, "    {line}"))
    }

    /// Marks for the lanes of the processes in the picture of the trail; a view that has some is
    /// not repeated as text there.
    fn marks(_: &Self::Body) -> Vec<Marked> {
        Vec::new()
    }

    /// What is to be said of the whole beside the marks.
    fn notes(_: &Self::Body) -> Vec<String> {
        Vec::new()
    }
}

/// A view of whatever type, for those who loop over [`super::VIEWS`].
pub trait AnyView: Debug + Sync {
    /// See [`View::NAME`].
    fn name(&self) -> ViewName;
    /// See [`View::ABOUT`].
    fn about(&self) -> &'static str;
    /// See [`View::WHOM`].
    fn whom(&self) -> &'static str;
    /// See [`View::applies`].
    fn applies(&self, scenario: &Registered) -> bool;
    /// See [`View::schema`].
    #[cfg(test)]
    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema;
    /// See [`View::unpack`].
    ///
    /// # Errors
    ///
    /// Nothing that the observer would have sent.
    fn unpack(&self, sent: Value, trail: &Trail) -> Result<Body, String>;
    /// See [`View::write`].
    fn write(&self, body: &Body) -> Value;
    /// See [`View::read`].
    ///
    /// # Errors
    ///
    /// Nothing that [`View::write`] would have written.
    fn read(&self, kept: Value, trail: &Trail) -> Result<Body, String>;
    /// See [`View::text`].
    fn text(&self, body: &Body) -> String;
    /// See [`View::parse`].
    ///
    /// # Errors
    ///
    /// The first line that the view does not have.
    fn parse(&self, text: &str) -> Result<Body>;
    /// See [`View::lacks`].
    fn lacks<'b>(&self, body: &'b Body) -> &'b [String];
    /// See [`View::fit`].
    fn fit(&self, body: &Body, text: &str) -> Option<String>;
    /// See [`View::judge`].
    fn judge(&self, lost: Lost) -> Option<(Outcome, String)>;
    /// See [`View::beside`].
    fn beside(&self, body: &Body, without: &Trail, with: &Trail) -> Body;
    /// See [`View::compare`].
    fn compare(&self, scenario: &str, old: (Side, &Body), new: (Side, &Body)) -> Comparison;
    /// See [`View::explain`].
    fn explain(&self, body: &Body, length: Length) -> Option<String>;
    /// See [`View::report`].
    fn report(&self, body: &Body) -> Option<Report>;
    /// See [`View::show`].
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    fn show(&self, body: &Body, paint: &Paint, out: &mut dyn Write) -> io::Result<()>;
    /// See [`View::marks`].
    fn marks(&self, body: &Body) -> Vec<Marked>;
    /// See [`View::notes`].
    fn notes(&self, body: &Body) -> Vec<String>;
}

/// A body that is another view's is a mistake of the caller, and is treated as nothing seen.
impl<V: View> AnyView for V {
    fn name(&self) -> ViewName {
        V::NAME
    }

    fn about(&self) -> &'static str {
        V::ABOUT
    }

    fn whom(&self) -> &'static str {
        V::WHOM
    }

    fn applies(&self, scenario: &Registered) -> bool {
        V::applies(scenario)
    }

    #[cfg(test)]
    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        V::schema(generator)
    }

    fn unpack(&self, sent: Value, trail: &Trail) -> Result<Body, String> {
        V::unpack(sent, trail).map(Body::new::<V>)
    }

    fn write(&self, body: &Body) -> Value {
        body.get::<V>().map_or(Value::Null, V::write)
    }

    fn read(&self, kept: Value, trail: &Trail) -> Result<Body, String> {
        V::read(kept, trail).map(Body::new::<V>)
    }

    fn text(&self, body: &Body) -> String {
        body.get::<V>().map_or_else(String::new, V::text)
    }

    fn parse(&self, text: &str) -> Result<Body> {
        V::parse(text).map(Body::new::<V>)
    }

    fn lacks<'b>(&self, body: &'b Body) -> &'b [String] {
        body.get::<V>().map_or(&[], V::lacks)
    }

    fn fit(&self, body: &Body, text: &str) -> Option<String> {
        body.get::<V>().and_then(|body| V::fit(body, text))
    }

    fn judge(&self, lost: Lost) -> Option<(Outcome, String)> {
        V::judge(lost)
    }

    fn beside(&self, body: &Body, without: &Trail, with: &Trail) -> Body {
        let beside = |own: &V::Body| Body::new::<V>(V::beside(own, without, with));
        body.get::<V>().map_or_else(|| body.clone(), beside)
    }

    fn compare(&self, scenario: &str, old: (Side, &Body), new: (Side, &Body)) -> Comparison {
        let scenario = super::label(scenario, V::NAME);
        match (old.1.get::<V>(), new.1.get::<V>()) {
            (Some(before), Some(after)) => V::compare(&scenario, (old.0, before), (new.0, after)),
            _ => Comparison::of_texts(&scenario, (old.0, ""), (new.0, ""), Vec::new()),
        }
    }

    fn explain(&self, body: &Body, length: Length) -> Option<String> {
        body.get::<V>().and_then(|body| V::explain(body, length))
    }

    fn report(&self, body: &Body) -> Option<Report> {
        body.get::<V>().and_then(V::report)
    }

    fn show(&self, body: &Body, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        body.get::<V>()
            .map_or(Ok(()), |body| V::show(body, paint, out))
    }

    fn marks(&self, body: &Body) -> Vec<Marked> {
        body.get::<V>().map_or_else(Vec::new, V::marks)
    }

    fn notes(&self, body: &Body) -> Vec<String> {
        body.get::<V>().map_or_else(Vec::new, V::notes)
    }
}

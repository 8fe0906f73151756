//! What is no call: failures, what handlers and views are told, files, tests. Each form here is run where it stands, and
//! what comes of it is looked at; or the row says what there is instead.

mod failures;
mod helpers;
mod listening;
mod responses;
mod scene;

use crate::migrating::page::cell;

pub(crate) use failures::failures;
pub(crate) use helpers::{files, mails};
pub(crate) use listening::{handlers, views};
pub(crate) use responses::responses;

/// Python's form, ours, and a run of ours.
pub(crate) struct Row {
    python: &'static str,
    ours: String,
    run: fn(),
}

impl Row {
    /// One that has no form here.
    fn none(python: &'static str, instead: &'static str) -> Self {
        Self { python, ours: instead.to_owned(), run: || {} }
    }

    fn form(python: &'static str, rust: &'static str, run: fn()) -> Self {
        Self { python, ours: cell(rust), run }
    }
}

/// Python's form, ours as a closure of what it is about, and what is to come of it: an expression that panics if it does
/// not, given the closure.
macro_rules! rows {
    ($($python:literal => |$it:tt: $type:ty| $rust:expr; |$form:ident| $check:expr,)*) => {
        vec![$(
            $crate::migrating::idioms::Row::form($python, stringify!($rust), || {
                let $form = |$it: $type| $rust;
                $check;
            })
        ),*]
    };
}
use rows;

/// As Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = "\n| Python | here |\n|---|---|\n".to_owned();
    for Row { python, ours, .. } in rows {
        text += &format!("| {python} | {ours} |\n");
    }
    text + "\n"
}

/// Runs each of them.
#[track_caller]
pub(crate) fn run(rows: &[Row]) {
    for row in rows {
        let run = std::panic::catch_unwind(row.run);
        assert!(run.is_ok(), "{}: {} does not do what it should", row.python, row.ours);
    }
}

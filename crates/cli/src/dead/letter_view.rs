//! Prints dead letters, for people or as JSON.

use std::io;

use serde::Serialize;
use zc_events::{DeadLetter, Value};

use crate::listen::message_view::{MessageJson, excerpt, is_unreadable};
use crate::output::{BAD, BOLD, FAINT, Line, Output, Plain, seconds};

/// The limit of a detail in the table, in characters.
const MAX_DETAIL: usize = 60;
/// An empty cell.
const NONE: &str = "-";

/// A line of JSON about a dead letter. docs/cli.md lists the members, which are stable.
#[derive(Serialize)]
struct Letter<'a> {
    id: Option<&'a str>,
    time: Option<String>,
    reason: &'a str,
    detail: &'a str,
    attempts: u32,
    replays: u32,
    exchange: &'a str,
    message: MessageJson<'a>,
}

impl<'a> Letter<'a> {
    fn new(letter: &'a DeadLetter) -> Self {
        Self {
            id: letter.id(),
            time: letter.at.map(seconds),
            reason: &letter.reason,
            detail: &letter.detail,
            attempts: letter.attempts,
            replays: letter.replays,
            exchange: &letter.exchange,
            message: MessageJson::new(&letter.message),
        }
    }
}

/// Prints all dead letters, one per line.
pub(super) fn table(output: Output, letters: &[DeadLetter]) -> io::Result<()> {
    if output.is_json() {
        return letters.iter().try_for_each(|letter| output.json(&Letter::new(letter)));
    }
    let rows: Vec<[String; 6]> = letters.iter().map(row).collect();
    let heads = ["TIME", "ATTEMPTS", "REASON", "EVENT TYPE", "ID", "DETAIL"];
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: [&str; 6]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    if !rows.is_empty() {
        output.text(format_args!("{BOLD}{}{BOLD:#}", line(heads)))?;
    }
    rows.iter().try_for_each(|row| output.text(line(row.each_ref().map(String::as_str))))
}

fn row(letter: &DeadLetter) -> [String; 6] {
    let detail: String = Line(&letter.detail).to_string();
    let short: String = detail.chars().take(MAX_DETAIL).collect();
    [
        letter.at.map_or(NONE.to_owned(), seconds),
        letter.attempts.to_string(),
        Line(&letter.reason).to_string(),
        Line(Some(letter.message.event_type()).filter(|it| !it.is_empty()).unwrap_or(NONE)).to_string(),
        Line(letter.id().unwrap_or(NONE)).to_string(),
        if short.len() < detail.len() { format!("{short}...") } else { short },
    ]
}

/// Prints one dead letter in full.
pub(super) fn whole(output: Output, letter: &DeadLetter) -> io::Result<()> {
    if output.is_json() {
        return output.json(&Letter::new(letter));
    }
    let message = &letter.message;
    let line = |name: &str, text: &str| output.text(format_args!("{FAINT}{name:10}{FAINT:#} {}", Line(text)));
    line("id", letter.id().unwrap_or(NONE))?;
    line("event type", message.event_type())?;
    output.text(format_args!("{FAINT}reason    {FAINT:#} {BAD}{}{BAD:#}", Line(&letter.reason)))?;
    line("detail", &letter.detail)?;
    line("attempts", &letter.attempts.to_string())?;
    line("replays", &letter.replays.to_string())?;
    line("time", &letter.at.map_or(NONE.to_owned(), seconds))?;
    line("exchange", &letter.exchange)?;
    line("size", &format!("{} bytes", message.body().len()))?;
    let json = |name: &str, value: Value| -> io::Result<()> {
        let text = serde_json::to_string_pretty(&value)?;
        output.text(format_args!("{FAINT}{name:10}{FAINT:#} {}", Plain(&text)))
    };
    json("headers", message.headers().into())?;
    if is_unreadable(message) {
        return line("body", &excerpt(message.body()));
    }
    if !message.args().is_empty() {
        json("args", message.args().into())?;
    }
    json("kwargs", message.kwargs().clone().into())
}

//! A Python program that calls others: `caller.py`, told what to do line by line.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{PATIENCE, Process};

/// A running program. Dropping it ends it.
pub struct Caller {
    process: Process,
    versions: Value,
}

/// What a Python program raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The class.
    pub class: String,
    /// The text.
    pub says: String,
}

impl Caller {
    pub(super) fn start(mut command: Command) -> Self {
        let process = Process::start(command.arg("caller.py"));
        let mut caller = Self { process, versions: Value::Null };
        caller.versions = caller.answer().unwrap_or_default();
        caller
    }

    /// Which versions of what it runs.
    #[must_use]
    pub fn versions(&self) -> &Value {
        &self.versions
    }

    /// Has it do what `calls.py` calls `what`, with these keyword arguments, and gives the result.
    ///
    /// # Panics
    /// Where it raises, or takes too long.
    #[track_caller]
    pub fn does(&mut self, what: &str, how: Value) -> Value {
        match self.tries(what, how) {
            Ok(result) => result,
            Err(raised) => panic!("{what} raised {}: {}\n{}", raised.class, raised.says, self.process.errors()),
        }
    }

    /// [`Caller::does`] for what may raise.
    ///
    /// # Errors
    /// What it raised.
    ///
    /// # Panics
    /// Where it takes too long.
    #[track_caller]
    pub fn tries(&mut self, what: &str, how: Value) -> Result<Value, Raised> {
        self.begin(what, how);
        self.answer()
    }

    /// Begins what takes its time; [`Caller::answer`] waits for it.
    ///
    /// # Panics
    /// Where `how` is no object.
    pub fn begin(&mut self, what: &str, how: Value) {
        let mut command = how;
        command["do"] = json!(what);
        self.process.say(&command.to_string());
    }

    /// The result of what was begun first.
    ///
    /// # Errors
    /// What it raised.
    ///
    /// # Panics
    /// Where it takes longer than two minutes.
    pub fn answer(&mut self) -> Result<Value, Raised> {
        self.answer_within(PATIENCE * 2)
    }

    /// [`Caller::answer`] of what may take long.
    ///
    /// # Errors
    /// What it raised.
    ///
    /// # Panics
    /// Where it takes longer.
    pub fn answer_within(&mut self, patience: Duration) -> Result<Value, Raised> {
        let line = self.process.line(patience);
        let mut answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("not an answer: {error}: {line}"));
        if answer.get("raised").is_none() {
            return Ok(answer["ok"].take());
        }
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Err(Raised { class: text("raised"), says: text("says") })
    }
}

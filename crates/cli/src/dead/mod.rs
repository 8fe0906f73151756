//! `zc-events dead`: lists, shows, replays and purges the dead letters of a service. `letter_view` prints them.

mod letter_view;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::json;
use zc_events::{DeadLetter, DeadLetters, Replay};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{GOOD, Line, note};
use crate::session::{Client, Session};
use crate::value_parsers;

/// The limit of dead letters in one listing; see [`DeadLetters`].
const AT_MOST: u16 = 20_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The service [default: SERVICE_NAME]
    #[arg(long, global = true, value_name = "NAME")]
    service: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the dead letters, oldest first
    List,
    /// Show one dead letter with its payload
    Show {
        /// The id, as `list` shows it
        id: String,
    },
    /// Send dead letters to the service again; each is removed once its copy is confirmed
    Replay {
        #[command(flatten)]
        which: Which,
        /// Replace the event type
        #[arg(long, value_name = "EVENT_TYPE", value_parser = value_parsers::name())]
        to: Option<String>,
        /// Skip dead letters that were already replayed this many times
        #[arg(long, value_name = "N", default_value_t = 3)]
        most: u32,
    },
    /// Delete dead letters
    Purge {
        #[command(flatten)]
        which: Which,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The ids, as `list` shows them
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All dead letters
    #[arg(long)]
    all: bool,
}

impl Which {
    fn has(&self, letter: &DeadLetter) -> bool {
        self.all || letter.id().is_some_and(|id| self.ids.iter().any(|it| it == id))
    }

    /// Fails if an id of the command line does not exist.
    fn check(&self, found: &BTreeSet<String>, queue: &str) -> Result<(), Failure> {
        match self.ids.iter().find(|id| !found.contains(*id)) {
            Some(id) => Err(missing(id, queue)),
            None => Ok(()),
        }
    }
}

fn missing(id: &str, queue: &str) -> Failure {
    Failure::new(Exit::Failed, format!("no dead letter in {queue} has the id {id}"))
        .hint("`zc-events dead list` shows the ids")
}

/// Lists, shows, replays or purges.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client: Client = session.client(|settings| match &options.service {
        Some(service) => settings.service_name(service),
        None => settings,
    })?;
    let letters =
        client.dead_letters().map_err(|error| Failure::from(error).hint("name the service with --service"))?;
    let letters = letters.at_most(AT_MOST);
    if letters.count()?.is_none() {
        return Err(Failure::new(Exit::Failed, format!("the queue {} does not exist", letters.queue()))
            .hint("a service declares it when it starts: check the service's name and the virtual host"));
    }
    match &options.action {
        Action::List => list(session, &letters),
        Action::Show { id } => {
            let queue = letters.queue();
            let letter = letters.list()?.into_iter().find(|letter| letter.id() == Some(id));
            Ok(letter_view::whole(session.output, &letter.ok_or_else(|| missing(id, &queue))?)?)
        }
        Action::Replay { which, to, most } => {
            let replay = Replay::new().max_replays(*most);
            let replay = to.iter().fold(replay, |replay, to| replay.event_type(to));
            let replay = if which.all { replay } else { replay.only(&which.ids) };
            replay_letters(session, &letters, &replay, *most)
        }
        Action::Purge { which, yes } => purge(session, &letters, which, *yes),
    }
}

fn list(session: &Session, letters: &DeadLetters) -> Result<(), Failure> {
    let listed = letters.list()?;
    letter_view::table(session.output, &listed)?;
    if !session.output.is_json() {
        note(format_args!("{} in {}", counted(listed.len()), letters.queue()));
    }
    if listed.len() >= AT_MOST.into() {
        note(format_args!("there may be more: a listing shows at most {AT_MOST}"));
    }
    Ok(())
}

fn replay_letters(session: &Session, letters: &DeadLetters, replay: &Replay, most: u32) -> Result<(), Failure> {
    let interrupt = session.interrupt.handle_first();
    let mut often = false;
    let replayed = letters.replay(replay, |letter| {
        often |= letter.replays >= most;
        interrupt.check().is_ok()
    })?;
    let output = session.output;
    for id in &replayed.done {
        if output.is_json() {
            output.json(&Replayed { id, replayed: true, error: None })?;
        } else {
            output.text(format_args!("{}: {GOOD}replayed{GOOD:#}", Line(id)))?;
        }
    }
    for (id, why) in &replayed.left {
        if output.is_json() {
            output.json(&Replayed { id, replayed: false, error: Some(why) })?;
        }
        Failure::new(Exit::Failed, why).about(id).print();
    }
    interrupt.check()?;
    if let Some(id) = replayed.missing.first() {
        return Err(missing(id, &letters.queue()));
    }
    if let Some(error) = replayed.stopped_by {
        return Err(Failure::from(error));
    }
    match replayed.left.len() {
        0 => {
            if !output.is_json() {
                note(format_args!("{} replayed", counted(replayed.done.len())));
            }
            Ok(())
        }
        left => {
            let failure = Failure::new(Exit::Failed, not_replayed(left));
            Err(if often {
                failure.hint("dead letters that were replayed so often failed each time; --most allows more")
            } else {
                failure
            })
        }
    }
}

fn not_replayed(count: usize) -> String {
    format!("{} {} not replayed", counted(count), if count == 1 { "was" } else { "were" })
}

/// A line of JSON about a replay.
#[derive(Serialize)]
struct Replayed<'a> {
    id: &'a str,
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

fn purge(session: &Session, letters: &DeadLetters, which: &Which, yes: bool) -> Result<(), Failure> {
    let listed = letters.list()?;
    let found: BTreeSet<String> = listed.iter().filter_map(DeadLetter::id).map(str::to_owned).collect();
    which.check(&found, &letters.queue())?;
    let count = listed.iter().filter(|letter| which.has(letter)).count();
    if !yes && count > 0 && !confirm(&format!("Delete {} in {}?", counted(count), letters.queue()))? {
        return Err(Failure::new(Exit::Failed, "nothing was deleted"));
    }
    // Dead letters that arrived after the question stay.
    let purged = letters.purge(|letter| which.has(letter) && letter.id().is_none_or(|id| found.contains(id)))?;
    if session.output.is_json() {
        return Ok(session.output.json(&json!({"purged": purged}))?);
    }
    Ok(session.output.text(format_args!("{} deleted", counted(purged)))?)
}

/// Asks on the terminal.
fn confirm(question: &str) -> Result<bool, Failure> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Failure::usage(format!("{question} Not a terminal; pass --yes")));
    }
    let mut err = io::stderr();
    write!(err, "{question} This cannot be undone. [y/N] ").and_then(|()| err.flush())?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn counted(letters: usize) -> String {
    if letters == 1 { "1 dead letter".to_owned() } else { format!("{letters} dead letters") }
}

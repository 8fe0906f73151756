//! `zc-events listen`: a live view of what passes over the exchanges, through a temporary queue that takes nothing from
//! any service. How a message is shown is in `display`.

pub(crate) mod display;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use zc_events::{EventClient, Message, Watch, Watched};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::note;
use crate::session::Session;
use crate::values;

/// How soon the end of the time, and a signal, are noticed while nothing passes.
const TICK: Duration = Duration::from_millis(50);
/// Between two attempts to look on again, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// What is looked at, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these: types of events such as order_created, or order_request; keys of calls. What cannot be read has none
    #[arg(value_name = "EVENT_TYPE")]
    event_types: Vec<String>,
    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time: 30s, 5m; it is a failure (exit code 5) where --count were not seen in it
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration)]
    duration: Option<Duration>,
    /// Look at the exchange for notifications, too
    #[arg(long)]
    notifications: bool,
}

/// Shows what passes until it is enough.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    let mut view = View::new(session, &client, options);
    let missing = client.missing_exchanges(view.watched)?;
    let mut watch = client.watch(view.watched)?;
    view.say_that_it_begins();
    say_what_is_new(&missing);
    // From here on there is a connection to say goodbye on.
    session.interrupt.politely();
    loop {
        if view.is_over()? {
            return Ok(());
        }
        match watch.next(TICK) {
            Ok(Some(message)) => view.show(&message)?,
            Ok(None) => {}
            Err(error) => {
                note(format_args!(
                    "{} Looking on again; what passes until then is not seen.",
                    Sentence(&error.to_string())
                ));
                match view.watch_again()? {
                    Some(again) => watch = again,
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Says which exchanges were not there before: in a fleet that runs, their names are wrong.
pub(crate) fn say_what_is_new(exchanges: &[String]) {
    for exchange in exchanges {
        note(format_args!(
            "the exchange {exchange} is new, nobody has used it so far: is STAGING_NAME that of the fleet?"
        ));
    }
}

struct View<'a> {
    session: &'a Session,
    client: &'a EventClient,
    event_types: BTreeSet<&'a str>,
    watched: Watched,
    count: Option<u64>,
    seen: u64,
    ends: Option<Instant>,
}

impl<'a> View<'a> {
    fn new(session: &'a Session, client: &'a EventClient, options: &'a Options) -> Self {
        Self {
            session,
            client,
            event_types: options.event_types.iter().map(String::as_str).collect(),
            watched: if options.notifications { Watched::All } else { Watched::Events },
            count: options.count,
            seen: 0,
            ends: options.duration.and_then(|duration| Instant::now().checked_add(duration)),
        }
    }

    fn say_that_it_begins(&self) {
        let settings = self.client.settings();
        let notifications = match self.watched {
            Watched::Events => String::new(),
            _ => format!(" and {}", settings.notifications_exchange()),
        };
        note(format_args!("looking on at {}{notifications}; Ctrl-C ends", settings.events_exchange()));
    }

    /// Whether it is enough. A signal, and a time that was too short, are failures.
    fn is_over(&self) -> Result<bool, Failure> {
        self.session.interrupt.check()?;
        if self.count.is_some_and(|count| self.seen >= count) {
            return Ok(true);
        }
        if self.ends.is_none_or(|ends| Instant::now() < ends) {
            return Ok(false);
        }
        match self.count {
            None => Ok(true),
            Some(count) => {
                Err(Failure::new(Exit::Timeout, format!("{} of {count} messages passed in the time given", self.seen)))
            }
        }
    }

    fn show(&mut self, message: &Message) -> Result<(), Failure> {
        if !self.event_types.is_empty() && !self.event_types.contains(message.event_type()) {
            return Ok(());
        }
        self.seen += 1;
        Ok(display::message(self.session.output, SystemTime::now(), message)?)
    }

    /// Tries until the broker is back; `None` where the time is over before.
    fn watch_again(&self) -> Result<Option<Watch>, Failure> {
        let [mut pause, longest] = PAUSES;
        let mut told = String::new();
        loop {
            let again = Instant::now() + pause;
            while Instant::now() < again {
                if self.is_over()? {
                    return Ok(None);
                }
                std::thread::sleep(TICK);
            }
            match self.client.watch(self.watched) {
                Ok(watch) => {
                    note("looking on again");
                    return Ok(Some(watch));
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    if failure.text() != told {
                        told = failure.text().to_owned();
                        note(format_args!("{} Trying again.", Sentence(&told)));
                    }
                }
            }
            pause = (pause * 2).min(longest);
        }
    }
}

/// A text that ends like a sentence.
struct Sentence<'a>(&'a str);

impl std::fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)?;
        if self.0.ends_with(['.', '?', '!']) { Ok(()) } else { f.write_str(".") }
    }
}

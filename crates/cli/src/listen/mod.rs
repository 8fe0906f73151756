//! `zc-events listen`: shows the messages of the exchanges. It consumes a temporary queue, so services still receive all
//! messages. `message_view` prints a message.

pub(crate) mod message_view;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use zc_events::{EventClient, Message, Watch, Watched};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::note;
use crate::session::Session;
use crate::value_parsers;

/// How often a waiting command checks for signals and the end of the time.
const TICK: Duration = Duration::from_millis(50);
/// The first and the longest pause between two attempts to reconnect.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Show only these event types (such as order_created or order_request) and keys of calls
    #[arg(value_name = "EVENT_TYPE")]
    event_types: Vec<String>,
    /// Stop after this many messages
    #[arg(long, value_name = "N", value_parser = value_parsers::whole_number::<u64>(1, u64::MAX))]
    count: Option<u64>,
    /// Stop after this time: 30s, 5m; exit with code 5 if --count is not reached
    #[arg(long = "for", value_name = "TIME", value_parser = value_parsers::duration)]
    duration: Option<Duration>,
    /// Also watch the exchange for notifications
    #[arg(long)]
    notifications: bool,
}

/// Shows messages until the count, the time or a signal ends the command.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    let mut view = View::new(session, &client, options);
    let missing = client.missing_exchanges(view.watched)?;
    let mut watch = client.watch(view.watched)?;
    view.note_start();
    note_new_exchanges(&missing);
    // From here on, a signal closes the connection first.
    session.interrupt.handle_first();
    loop {
        if view.is_over()? {
            return Ok(());
        }
        match watch.next(TICK) {
            Ok(Some(message)) => view.show(&message)?,
            Ok(None) => {}
            Err(error) => {
                note(format_args!("{} Reconnecting; messages until then are missed.", Sentence(&error.to_string())));
                match view.watch_again()? {
                    Some(again) => watch = again,
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Names the exchanges that did not exist: if the fleet is running, their names are wrong.
pub(crate) fn note_new_exchanges(exchanges: &[String]) {
    for exchange in exchanges {
        note(format_args!("the exchange {exchange} did not exist before: check that STAGING_NAME is the fleet's"));
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

    fn note_start(&self) {
        let settings = self.client.settings();
        let notifications = match self.watched {
            Watched::Events => String::new(),
            _ => format!(" and {}", settings.notifications_exchange()),
        };
        note(format_args!("watching {}{notifications}; press Ctrl-C to stop", settings.events_exchange()));
    }

    /// Whether the count or the time is reached. A signal, and a time without enough messages, are failures.
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
                Err(Failure::new(Exit::Timeout, format!("saw {} of {count} messages in the given time", self.seen)))
            }
        }
    }

    fn show(&mut self, message: &Message) -> Result<(), Failure> {
        if !self.event_types.is_empty() && !self.event_types.contains(message.event_type()) {
            return Ok(());
        }
        self.seen += 1;
        Ok(message_view::print(self.session.output, SystemTime::now(), message)?)
    }

    /// Retries until the broker is back; `None` if the command ends before.
    fn watch_again(&self) -> Result<Option<Watch>, Failure> {
        let [mut pause, longest] = PAUSES;
        let mut last = String::new();
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
                    note("watching again");
                    return Ok(Some(watch));
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    if failure.text() != last {
                        last = failure.text().to_owned();
                        note(format_args!("{} Retrying.", Sentence(&last)));
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

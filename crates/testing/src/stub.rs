//! A stand-in for remote services: takes requests and calls from the exchange and answers them as `Answers` says,
//! on whatever broker and store a client has. In a `Fleet` one runs by itself.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::json;
use uuid::Uuid;
use zc_events_cache::ReplyStore;
use zc_events_protocol::{Clock, Deadline, REPLY_TTL, RemoteError, Task};
use zc_events_transport::{ConsumeOptions, Delivery, ExchangeKind, Queue, Subscription, Topology};

use crate::expectation::Answer;
use crate::expectations::{Answers, Found};
use crate::harness::World;
use crate::received_request::{Asked, What};
use crate::reply::encode;
use crate::stub_queue::{Held, StubQueue};
use zc_events::{Error, EventClient, Outcome, Result};

/// How long connecting, declaring and answering may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two attempts to consume, by the real clock, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];
/// The same in a test, whose broker in memory comes back when the test says so.
const AT_ONCE: [Duration; 2] = [Duration::from_micros(200); 2];
/// Further off than anything that is waited for.
const IDLE: Duration = Duration::from_secs(3600);
/// How many messages are held at once, those included that are to be answered later.
const PREFETCH: u16 = 1000;

/// A stand-in for remote services that runs until it is dropped.
///
/// It consumes a queue of its own, bound to the exchange for events. What is asked and fits no expectation
/// is left to others, as any service would. In a [`Fleet`](crate::Fleet), which has one, it is an error.
///
/// ```
/// use std::sync::Arc;
/// use zc_events_testing::{Answers, Expectation, Stub};
/// use zc_events::{EventClient, Settings, Value};
///
/// let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
/// let client = EventClient::new(settings)?;
/// let answers = Arc::new(Answers::new([Expectation::call("add").returns(3)]));
/// let stub = Stub::start(&client, "orders-stub", Arc::clone(&answers), |line| println!("{line}"))?;
/// assert_eq!(client.get("add").fetch::<i64>()?, 3);
/// assert!(answers.unmet().is_empty());
/// # Ok::<(), zc_events::Error>(())
/// ```
pub struct Stub {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// Something that was asked, and what became of it: for a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StubLine {
    /// What was asked, without what came along.
    pub asked: String,
    /// What was answered, or why nothing was.
    pub answered: String,
    /// Whether an expectation fitted.
    pub expected: bool,
}

impl fmt::Display for StubLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked, self.answered)
    }
}

impl Stub {
    /// Starts one that consumes the queue of this name, which is made where it is missing: give it a name that no service has.
    /// `tell` is told of each request and call.
    ///
    /// # Errors
    /// As for [`ServiceBuilder::start`](zc_events::ServiceBuilder::start).
    pub fn start(
        client: &EventClient,
        queue: &str,
        answers: Arc<Answers>,
        tell: impl Fn(StubLine) + Send + 'static,
    ) -> Result<Self> {
        let topology = bound(client, Queue::durable(queue));
        Self::run(Responder::new(client, queue, Some(topology), answers, tell))
    }

    /// [`Stub::start`] with a temporary queue, which goes with the stub: nothing piles up in it afterwards. What is asked
    /// while the connection is lost is not seen.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use zc_events_testing::{Answers, Expectation, Stub};
    /// use zc_events::{EventClient, Settings};
    ///
    /// let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let answers = Arc::new(Answers::standing([Expectation::call("add").returns(3)]));
    /// let stub = Stub::temporary(&client, Arc::clone(&answers), |line| println!("{line}"))?;
    /// assert_eq!((client.get("add").fetch::<i64>()?, client.get("add").fetch::<i64>()?), (3, 3));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Stub::start`].
    pub fn temporary(
        client: &EventClient,
        answers: Arc<Answers>,
        tell: impl Fn(StubLine) + Send + 'static,
    ) -> Result<Self> {
        Self::run(Responder::new(client, "zc-events.stub", None, answers, tell))
    }

    /// The one of a test, which takes offence at what is not expected and not served by a service of the test.
    pub(crate) fn of_world(client: &EventClient, world: &Arc<World>, answers: Arc<Answers>) -> Result<Self> {
        const QUEUE: &str = "testing.answers";
        let settings = client.settings();
        // Bound to all, it stands for the rest of the fleet, too: what a test emits has somebody who gets it.
        let topology = Topology::new()
            .exchange(settings.events_exchange(), ExchangeKind::Fanout)
            .exchange(settings.notifications_exchange(), ExchangeKind::Topic)
            .queue(Queue::durable(QUEUE))
            .bind(QUEUE, settings.events_exchange(), "")
            .bind(QUEUE, settings.notifications_exchange(), "#");
        let tell = |line: StubLine| log::info!("TESTING: {line}");
        let responder = Responder::new(client, QUEUE, Some(topology), answers, tell);
        world.set_stub(Some(Arc::clone(&responder.queue)));
        Self::run(Responder { world: Some(Arc::clone(world)), ..responder })
    }

    fn run(responder: Responder) -> Result<Self> {
        // Without it nothing could be answered.
        let inner = &responder.client;
        let store = reply_store(inner)?;
        if responder.world.is_none() {
            store.ping(deadline(inner))?;
        }
        let first = responder.subscribe()?;
        let (stop, stopped) = bounded(0);
        let run = move || responder.run(first, &stopped);
        let thread = thread::Builder::new().name("zc-events-stub".to_owned()).spawn(run).map_err(no_thread)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let (nobody, _) = bounded(0);
        drop(std::mem::replace(&mut self.stop, nobody));
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").finish_non_exhaustive()
    }
}

/// What the thread of a stub has.
struct Responder {
    client: EventClient,
    /// Declared for good; `None` for a temporary queue.
    topology: Option<Topology>,
    queue: Arc<StubQueue>,
    answers: Arc<Answers>,
    world: Option<Arc<World>>,
    tell: Box<dyn Fn(StubLine) + Send>,
}

/// A queue that gets what passes over the exchange for events.
fn bound(client: &EventClient, queue: Queue) -> Topology {
    let (name, exchange) = (queue.name.clone(), client.settings().events_exchange());
    Topology::new().exchange(exchange, ExchangeKind::Fanout).queue(queue).bind(name, exchange, "")
}

impl Responder {
    fn new(
        client: &EventClient,
        queue: &str,
        topology: Option<Topology>,
        answers: Arc<Answers>,
        tell: impl Fn(StubLine) + Send + 'static,
    ) -> Self {
        let queue = Arc::new(StubQueue::new(queue));
        Self { client: client.clone(), topology, queue, answers, world: None, tell: Box::new(tell) }
    }

    fn subscribe(&self) -> Result<Box<dyn Subscription>> {
        let broker = self.client.broker();
        let (deadline, options) = (deadline(&self.client), ConsumeOptions { prefetch: PREFETCH });
        let Some(topology) = &self.topology else {
            // A new name each time: the broker may not know yet that the last connection is gone.
            let name = format!("{}.{}", self.queue.name, Uuid::new_v4().simple());
            let topology = bound(&self.client, Queue::temporary(name.as_str()));
            return Ok(broker.subscribe_with(&topology, &name, options, deadline)?);
        };
        broker.declare(topology, deadline)?;
        Ok(broker.subscribe(&self.queue.name, options, deadline)?)
    }

    /// Consumes until `stopped` has lost its sender, and comes back after a lost connection.
    fn run(&self, first: Box<dyn Subscription>, stopped: &Receiver<()>) {
        let mut next = Some(first);
        while let Some(subscription) = next.take() {
            let Err(error) = self.consume(&*subscription, stopped) else { return };
            drop(subscription);
            self.give_up_held();
            next = self.come_back(&error, stopped);
        }
    }

    /// Tries until it consumes again, ever more seldom; `None` where it was stopped before. What goes wrong is said once.
    fn come_back(&self, lost: &Error, stopped: &Receiver<()>) -> Option<Box<dyn Subscription>> {
        let [mut pause, longest] = if self.world.is_some() { AT_ONCE } else { PAUSES };
        let mut told = lost.to_string();
        log::warn!("the stand-in for remote services answers nothing, and tries to come back: {told}");
        loop {
            let _ = stopped.recv_timeout(pause);
            if is_over(stopped) {
                return None;
            }
            match self.subscribe() {
                Ok(subscription) => {
                    log::warn!("the stand-in for remote services is back");
                    return Some(subscription);
                }
                Err(error) => {
                    let text = error.to_string();
                    if text != told {
                        log::warn!("the stand-in for remote services is not back yet: {text}");
                        told = text;
                    }
                }
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// What is held comes again over the next connection, where its queue is still there.
    fn give_up_held(&self) {
        let held = std::mem::take(&mut *self.queue.held());
        if self.topology.is_none() {
            held.into_values().for_each(|held| {
                (self.tell)(held.line("not answered: the connection was lost before it was time".to_owned()));
            });
        }
    }

    fn consume(&self, subscription: &dyn Subscription, stopped: &Receiver<()>) -> Result<()> {
        let clock = self.client.settings().clock();
        let mut number = 0;
        while !is_over(stopped) {
            let until = self.answer_what_is_due(clock);
            if let Some(delivery) = subscription.next_unless(stopped, until)? {
                number += 1;
                self.take(delivery, clock, number);
            }
        }
        Ok(())
    }

    /// Hands in the answers whose time has come, and says when to look again.
    fn answer_what_is_due(&self, clock: &dyn Clock) -> Deadline {
        loop {
            let mut held = self.queue.held();
            match held.first_entry() {
                None => return clock.deadline(IDLE),
                Some(first) if first.key().0 > clock.now() => return Deadline::at(first.key().0),
                Some(first) => {
                    let due = first.remove();
                    drop(held);
                    self.answer(due);
                }
            }
        }
    }

    fn take(&self, delivery: Delivery, clock: &dyn Clock, number: u64) {
        let settings = self.client.settings();
        let task = Task::decode(&delivery.properties, &delivery.body, settings.limits());
        let asked = task.ok().as_ref().and_then(Asked::of).filter(|asked| !self.is_served(asked));
        let Some(asked) = asked else { return delivery.settler.ack() };
        let (answer, delay) = match self.answers.find(&asked) {
            Found::Answer(answer, delay) => (answer, delay),
            Found::Nothing(nearest) => {
                self.refuse(&asked, &nearest);
                return delivery.settler.ack();
            }
        };
        let line = |answered: String| StubLine { asked: asked.to_string(), answered, expected: true };
        let Some(key) = asked.response_key.as_deref() else {
            (self.tell)(line("expected; nobody waits for an answer".to_owned()));
            return delivery.settler.ack();
        };
        let (answered, answer) = match encode(&asked.what, answer) {
            Some((answered, Ok(answer))) => (answered, answer),
            other => {
                let why = other.and_then(|(_, encoded)| encoded.err());
                let why = why.map_or_else(|| "not answered, as it should be".to_owned(), not_answered);
                (self.tell)(line(why));
                return delivery.settler.ack();
            }
        };
        let held = Held { delivery, asked: asked.to_string(), answered, key: key.to_owned(), answer };
        if delay.is_zero() {
            self.answer(held);
        } else {
            self.queue.held().insert((clock.deadline(delay).instant(), number), held);
        }
    }

    /// Hands in an answer, and tells how that went.
    fn answer(&self, held: Held) {
        let handed_in = self.hand_in(&held.key, &held.answer);
        let answered = handed_in.map_or_else(not_answered, |()| held.answered.clone());
        (self.tell)(held.line(answered));
        held.delivery.settler.ack();
    }

    /// Whether a service of the test does it.
    fn is_served(&self, asked: &Asked) -> bool {
        self.world.as_ref().is_some_and(|world| !world.who_handles(asked.what.event_type()).is_empty())
    }

    /// Nothing like it is expected. Elsewhere others may answer it; in a test nobody will.
    fn refuse(&self, asked: &Asked, nearest: &str) {
        let line = |answered| StubLine { asked: asked.to_string(), answered, expected: false };
        if self.world.is_none() {
            return (self.tell)(line(format!("left to others; {nearest}")));
        }
        // It waits in the queue of a service that was stopped, and may come back.
        if self.world.as_ref().is_some_and(|world| world.has_served(asked.what.event_type())) {
            return;
        }
        // What nobody waits for is an event like any other: most of them are for somebody else.
        let Some(key) = asked.response_key.as_deref() else { return };
        let text = format!("unexpected: {asked}; {nearest}");
        self.answers.note_unexpected(text.clone());
        (self.tell)(line(nearest.to_owned()));
        let refusal = match asked.what {
            What::Resource { .. } => {
                let error = json!({"errors": [{"status": "501", "title": "Unexpected request", "detail": text}]});
                Answer::Status { status: 501, body: Some(error) }
            }
            What::Call { .. } => Answer::Errors(vec![RemoteError::new("UnexpectedCall", text)]),
        };
        let Some((_, Ok(encoded))) = encode(&asked.what, refusal) else { return };
        if let Err(error) = self.hand_in(key, &encoded) {
            log::warn!("the stand-in for remote services could not hand in an answer: {error}");
        }
    }

    fn hand_in(&self, key: &str, answer: &[u8]) -> Result<()> {
        Ok(reply_store(&self.client)?.push(key, answer, REPLY_TTL, deadline(&self.client))?)
    }
}

fn reply_store(client: &EventClient) -> Result<&Arc<dyn ReplyStore>> {
    const WHY: &str = "EVENTS_REDIS_URL is not set: a stub answers through the reply store; set it to redis://host:6379/0, as for the Python services";
    client.reply_store().ok_or_else(|| Error::Config { why: WHY.to_owned() })
}

fn deadline(client: &EventClient) -> Deadline {
    client.settings().clock().deadline(PATIENCE)
}

pub(crate) fn no_thread(error: std::io::Error) -> Error {
    let what = "the system gives no thread".to_owned();
    Error::Unavailable { what, outcome: Outcome::NotSent, source: Some(Box::new(error)) }
}

fn not_answered(error: Error) -> String {
    format!("not answered: {error}")
}

fn is_over(stopped: &Receiver<()>) -> bool {
    stopped.try_recv().is_err_and(|error| error.is_disconnected())
}

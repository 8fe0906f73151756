//! A fleet for one test: what makes clients, expects requests, tells what happened, and moves the time.
//! Faults are in `faults`.

#![allow(clippy::panic, reason = "a test fails by panicking, and this is called by tests")]

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zc_events_protocol::{Clock, Event, Limits, ManualClock, names};
use zc_events_transport::memory::Published;
use zc_events_transport::{Broker, ConsumeOptions};

use crate::expectation::Expectation;
use crate::expectations::Answers;
use crate::harness::World;
use crate::settled_message::{Ended, Ending};
use crate::stub::Stub;
use zc_events::blobs::MemoryBlobStore;
use zc_events::{DeadLetter, EventClient, Message, Result, Settings, SettingsBuilder};

/// The bucket of index rebuilds, which has no default.
const INDEX_BUCKET: &str = "index";
/// The bucket of e-mails, as it is by default.
const EMAIL_BUCKET: &str = "zc-mp-email";

/// A fleet of services in memory, for one test; see [the module](super).
///
/// When it is dropped it panics, unless the test has panicked already, where an [`Expectation`] was not met or something
/// was asked that nobody expected. Keep it for as long as its services run. In a test that returns a `Result`, an error that
/// is returned early looks like such an end: what it says is lost in the panic, where expectations are still to be met.
///
/// Its own failures are panics, with a text that says what was waited for: it is made for tests.
#[must_use = "a fleet is checked when it is dropped"]
pub struct Fleet {
    pub(crate) world: Arc<World>,
    answers: Arc<Answers>,
    email_blobs: MemoryBlobStore,
    index_blobs: MemoryBlobStore,
    /// Stops when the fleet ends.
    stub: Option<Stub>,
}

impl Fleet {
    /// A new one, in which nobody is.
    ///
    /// # Panics
    /// Where the system gives us no threads.
    #[track_caller]
    pub fn new() -> Self {
        Self::build().unwrap_or_else(|error| panic!("no fleet for this test: {error}"))
    }

    fn build() -> Result<Self> {
        let (world, bell) = World::new();
        World::keep_time(&world, bell).map_err(crate::stub::no_thread)?;
        let answers = Arc::new(Answers::default());
        // A client of its own that the test does not wait for.
        let client = EventClient::new(plain_settings(&world, "testing").build()?)?;
        let stub = Stub::of_world(&client, &world, Arc::clone(&answers))?;
        world.broker.record();
        let blobs =
            |bucket| MemoryBlobStore::named(&format!("{}/{bucket}", world.name)).clock(Arc::new(world.clock.clone()));
        let (email_blobs, index_blobs) = (blobs(EMAIL_BUCKET), blobs(INDEX_BUCKET));
        Ok(Self { world, answers, email_blobs, index_blobs, stub: Some(stub) })
    }

    /// Settings of the service of this name, to be changed and built. Leave broker, store, exchanges and clock as they
    /// are.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::EventClient;
    /// use zc_events_testing::Fleet;
    ///
    /// let fleet = Fleet::new();
    /// let settings = fleet.settings("orders").events_attempts(2).events_timeout(Duration::from_secs(5)).build()?;
    /// let client = EventClient::new(settings)?;
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn settings(&self, service: &str) -> SettingsBuilder {
        plain_settings(&self.world, service).observer(Arc::clone(&self.world) as _)
    }

    /// A client of the service of this name, with [`Fleet::settings`] as they are.
    ///
    /// # Panics
    /// Where that is no name for a service.
    #[must_use]
    #[track_caller]
    pub fn client(&self, service: &str) -> EventClient {
        let client = self.settings(service).build().and_then(EventClient::new);
        client.unwrap_or_else(|error| panic!("no client for {service:?}: {error}"))
    }

    /// The clock of all.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.world.clock
    }

    /// Expects a request or a call that no service of this fleet serves, and answers it. The first that fits and is not
    /// used up answers.
    pub fn expect(&self, expected: Expectation) {
        self.expect_all([expected]);
    }

    /// [`Fleet::expect`], for several: those of a file, say.
    pub fn expect_all(&self, expected: impl IntoIterator<Item = Expectation>) {
        self.answers.extend(expected);
    }

    /// Where the fleet's clients store bodies and attachments of e-mails.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::blobs::BlobStore;
    /// use zc_events_testing::Fleet;
    /// use zc_events::{Clock, Email};
    ///
    /// let fleet = Fleet::new();
    /// let email = Email::new().to("ada@example.com").plaintext_body("Lunch is ready.");
    /// let stored = fleet.client("orders").store_email(&email)?;
    /// let key = stored.data()["plaintext_body_key"].as_str().unwrap_or_default().to_owned();
    /// let deadline = fleet.clock().deadline(Duration::from_secs(5));
    /// assert_eq!(fleet.email_blobs().get(&key, deadline)?.as_deref(), Some(&b"Lunch is ready."[..]));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[must_use]
    pub fn email_blobs(&self) -> &MemoryBlobStore {
        &self.email_blobs
    }

    /// Where the fleet's clients store the batches of index rebuilds.
    #[must_use]
    pub fn index_blobs(&self) -> &MemoryBlobStore {
        &self.index_blobs
    }

    /// All messages that were sent to the exchanges so far, in their order: events, requests, calls and notifications,
    /// by whomever. Retries and dead letters are not among them.
    #[must_use]
    pub fn sent(&self) -> Vec<Message> {
        let published = self.world.broker.published();
        let sent = published.iter().filter(|published| !published.exchange().is_empty());
        let read = |it: &Published| {
            Message::read(it.exchange(), it.routing_key(), it.properties(), it.body(), &Limits::default())
        };
        sent.map(read).collect()
    }

    /// Those of [`Fleet::sent`] that have this type: `order_created`, `order_request`, the key of a call.
    #[must_use]
    pub fn emitted(&self, event_type: &str) -> Vec<Message> {
        self.sent().into_iter().filter(|message| message.event_type() == event_type).collect()
    }

    /// What became of the event so far, at all services that handle its type, in order. Events that a service does not
    /// handle leave no trace here.
    #[must_use]
    pub fn endings(&self, event: &Event) -> Vec<Ending> {
        let of_event = |ended: &Ended| ended.id.as_deref() == Some(event.id());
        self.all_endings().into_iter().filter(of_event).map(|ended| ended.ending).collect()
    }

    /// What became of all messages so far, in order.
    #[must_use]
    pub fn all_endings(&self) -> Vec<Ended> {
        self.world.all_ended()
    }

    /// What lies among the dead letters of a service, oldest first. It stays there.
    ///
    /// # Panics
    /// Where the broker is down.
    #[must_use]
    #[track_caller]
    pub fn dead_letters(&self, service: &str) -> Vec<DeadLetter> {
        let (broker, queue) = (&self.world.broker, names::dead_letter_queue(service));
        if broker.queue_len(&queue).is_none() {
            return Vec::new();
        }
        let options = ConsumeOptions { prefetch: u16::MAX };
        let read = broker.subscribe(&queue, options, self.now()).and_then(|letters| {
            let mut all = Vec::new();
            while let Some(letter) = letters.next(self.now())? {
                all.push(DeadLetter::read(&letter, &Limits::default()));
            }
            Ok(all)
        });
        read.unwrap_or_else(|error| panic!("the dead letters of {service:?} cannot be read: {error}"))
    }

    fn now(&self) -> zc_events_protocol::Deadline {
        self.world.clock.deadline(Duration::ZERO)
    }

    /// Waits until nothing is left to do at this moment: every message is handled, or waits for a time to come. No time
    /// passes.
    ///
    /// # Panics
    /// Where that takes 20 s by the real clock: a handler does not return, say. The text says what is left.
    #[track_caller]
    pub fn settle(&self) {
        if let Err(what) = self.world.settle() {
            panic!("{what}");
        }
    }

    /// Lets so much time pass. What is due in it happens when it is due: retries, deadlines, expiry. Waits as
    /// [`Fleet::settle`] does, before and after.
    ///
    /// # Panics
    /// As for [`Fleet::settle`].
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        if let Err(what) = self.world.advance(by) {
            panic!("{what}");
        }
    }

    /// Waits until it is so, and lets time pass whenever nothing else is left to do.
    ///
    /// # Panics
    /// Where it does not become so within a day of the test's time, or 20 s by the real clock.
    #[track_caller]
    pub fn until(&self, condition: impl Fn() -> bool) {
        if let Err(what) = self.world.until(condition) {
            panic!("{what}");
        }
    }

    /// Waits until nothing more becomes of the event at the services that handle it, retries included, and says how it
    /// ended at each: [`Fleet::until`], with the endings.
    ///
    /// # Panics
    /// As for [`Fleet::until`]; and where no service handles its type.
    #[must_use]
    #[track_caller]
    pub fn until_ended(&self, event: &Event) -> Vec<Ending> {
        let handlers = self.world.who_handles(event.event_type());
        if handlers.is_empty() {
            let stopped = if self.world.has_served(event.event_type()) { ": the one that did has stopped" } else { "" };
            panic!("no service of this fleet handles `{}`{stopped}", event.event_type());
        }
        let has_ended = |service: &String| {
            let is_it = |ended: &Ended| ended.service == *service && ended.id.as_deref() == Some(event.id());
            self.world.all_ended().iter().any(|ended| is_it(ended) && ended.ending.is_final())
        };
        self.until(|| handlers.iter().all(has_ended));
        // What ended is about to be acknowledged. What else goes on is not this test's concern.
        let _ = self.world.settle();
        self.endings(event).into_iter().filter(|ending| ending.is_final()).collect()
    }

    /// Forgets all complaints so far, and what is expected: for a test in which they are as they should be.
    pub fn forgive(&self) {
        self.world.settle_stub();
        self.answers.clear();
        let _ = self.world.broker.take_unused_faults();
    }

    /// What is wrong so far: what was expected and has not come, and what came and was not expected. When the fleet is
    /// dropped, faults that were asked for and never happened are complaints as well.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let unmet = self.answers.unmet().into_iter().map(|what| format!("did not come: {what}"));
        self.answers.unexpected().into_iter().chain(unmet).collect()
    }
}

/// Settings that lead to the broker and the store of this world.
fn plain_settings(world: &World, service: &str) -> SettingsBuilder {
    let url = format!("memory://{}", world.name);
    Settings::builder()
        .broker_url(&url)
        .events_redis_url(&url)
        .events_content_url(&url)
        .aws_indexer_bucket_name(INDEX_BUCKET)
        .staging_name("test")
        .service_name(service)
        .clock(Arc::new(world.clock.clone()))
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !thread::panicking() {
            // What was sent has been answered, or found to be unexpected.
            self.world.settle_stub();
        }
        self.stub = None;
        self.world.set_stub(None);
        let mut complaints = self.complaints();
        complaints.extend(self.world.broker.take_unused_faults());
        if complaints.is_empty() {
            return;
        }
        let text = complaints.join("\n  ");
        if thread::panicking() {
            // The test has failed, and this may be why.
            eprintln!("in this test's fleet:\n  {text}");
        } else {
            panic!("in this test's fleet:\n  {text}");
        }
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("world", &self.world).finish_non_exhaustive()
    }
}

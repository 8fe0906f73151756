//! A fleet for one test: makes clients, takes expectations, and checks them at its end. `fleet_records` reads what happened,
//! `fleet_time` moves the clock, `faults` injects faults.

#![allow(clippy::panic, reason = "a test fails by panicking, and tests call this")]

use std::fmt;
use std::sync::Arc;
use std::thread;

use zc_events::blobs::MemoryBlobStore;
use zc_events::{EventClient, Result, Settings, SettingsBuilder};
use zc_events_protocol::ManualClock;

use crate::expectation::Expectation;
use crate::expectations::Expectations;
use crate::harness::Harness;
use crate::stub::{Stub, no_thread};

/// The bucket of e-mails, as the settings have it by default.
const EMAIL_BUCKET: &str = "zc-mp-email";
/// The bucket of index rebuilds, which has no default.
const INDEX_BUCKET: &str = "index";

/// A fleet of services in memory, for one test; see [the crate](crate).
///
/// A fleet panics when it is dropped if an [`Expectation`] was not met, if a service received an unexpected request, or if
/// an injected fault did not happen. It does not panic if the test panics already. Keep the fleet as long as its
/// services run. If a test returns an error early, expectations are likely unmet: then the panic hides the error.
///
/// The methods of a fleet panic if they fail, with a text that says what they waited for.
#[must_use = "a fleet is checked when it is dropped"]
pub struct Fleet {
    pub(crate) harness: Arc<Harness>,
    expectations: Arc<Expectations>,
    email_blobs: MemoryBlobStore,
    index_blobs: MemoryBlobStore,
    /// Answers the expected requests; `None` while the fleet is dropped.
    stub: Option<Stub>,
}

impl Fleet {
    /// Creates an empty fleet.
    ///
    /// # Panics
    /// If the system gives no thread.
    #[track_caller]
    pub fn new() -> Self {
        Self::build().unwrap_or_else(|error| panic!("cannot create a fleet: {error}"))
    }

    fn build() -> Result<Self> {
        let (harness, wakes) = Harness::new();
        Harness::start_clock_thread(&harness, wakes).map_err(no_thread)?;
        let expectations = Arc::new(Expectations::default());
        // Without the observer: the waits of the stub are not those of the test.
        let client = EventClient::new(settings(&harness, "testing").build()?)?;
        let stub = Stub::of_fleet(&client, &harness, Arc::clone(&expectations))?;
        harness.broker.record();
        let blobs = |bucket: &str| {
            // The name that the settings give to a bucket of `memory://name`.
            let store = MemoryBlobStore::named(&format!("{}/{bucket}", harness.name));
            store.clock(Arc::new(harness.clock.clone()))
        };
        let (email_blobs, index_blobs) = (blobs(EMAIL_BUCKET), blobs(INDEX_BUCKET));
        Ok(Self { harness, expectations, email_blobs, index_blobs, stub: Some(stub) })
    }

    /// Settings for a service of the fleet, which you can change before you build them. Do not change the broker, the
    /// store, the exchanges and the clock.
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
        settings(&self.harness, service).observer(Arc::clone(&self.harness) as _)
    }

    /// A client of this service, with [`Fleet::settings`].
    ///
    /// # Panics
    /// If `service` is not a valid service name.
    #[must_use]
    #[track_caller]
    pub fn client(&self, service: &str) -> EventClient {
        let client = self.settings(service).build().and_then(EventClient::new);
        client.unwrap_or_else(|error| panic!("cannot create a client for {service:?}: {error}"))
    }

    /// The clock of the fleet.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.harness.clock
    }

    /// Expects a request or a call that no service of the fleet handles, and gives its reply. Expectations are tried in
    /// order: the first that matches and is not used up gives the reply.
    pub fn expect(&self, expected: Expectation) {
        self.expect_all([expected]);
    }

    /// [`Fleet::expect`] for several expectations, such as those of a file.
    pub fn expect_all(&self, expected: impl IntoIterator<Item = Expectation>) {
        self.expectations.extend(expected);
    }

    /// The store in which the clients of the fleet keep the bodies and attachments of e-mails.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::blobs::BlobStore;
    /// use zc_events::{Clock, Email};
    /// use zc_events_testing::Fleet;
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

    /// The store in which the clients of the fleet keep the batches of index rebuilds.
    #[must_use]
    pub fn index_blobs(&self) -> &MemoryBlobStore {
        &self.index_blobs
    }

    /// Removes all expectations, and forgets all complaints so far.
    pub fn forgive(&self) {
        self.harness.settle_stub();
        self.expectations.clear();
        let _ = self.harness.broker.take_unused_faults();
    }

    /// What is wrong so far: unexpected requests and unmet expectations. Injected faults that did not happen are added
    /// when the fleet is dropped.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let unmet = self.expectations.unmet().into_iter().map(|expectation| format!("not received: {expectation}"));
        self.expectations.unexpected().into_iter().chain(unmet).collect()
    }
}

/// Settings that name the broker and the stores of the fleet.
fn settings(harness: &Harness, service: &str) -> SettingsBuilder {
    let url = format!("memory://{}", harness.name);
    Settings::builder()
        .broker_url(&url)
        .events_redis_url(&url)
        .events_content_url(&url)
        .aws_indexer_bucket_name(INDEX_BUCKET)
        .staging_name("test")
        .service_name(service)
        .clock(Arc::new(harness.clock.clone()))
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !thread::panicking() {
            // The stub may still have requests, which may be unexpected.
            self.harness.settle_stub();
        }
        self.stub = None;
        self.harness.set_stub(None);
        let mut complaints = self.complaints();
        complaints.extend(self.harness.broker.take_unused_faults());
        if complaints.is_empty() {
            return;
        }
        let text = format!("the fleet of this test has complaints:\n  {}", complaints.join("\n  "));
        if thread::panicking() {
            // The test has failed, and this may be the cause.
            eprintln!("{text}");
        } else {
            panic!("{text}");
        }
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("harness", &self.harness).finish_non_exhaustive()
    }
}

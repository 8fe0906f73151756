//! What is wrong between a program and its servers, and what to do about it: before a service starts, in a readiness
//! endpoint, or at two in the morning (`zc-events doctor`). With the feature `doctor`.
//!
//! Nothing of the fleet's is changed, and no message of its is taken: queues are looked at by questions that the broker
//! must refuse or that have no effect, and the round trip goes through an exchange and a queue of its own, which are gone
//! afterwards. What AMQP cannot tell (bindings, policies, what is out with consumers) is asked of RabbitMQ's management API
//! where `MANAGEMENT_URL` is set, and is unknown otherwise.
//!
//! This file says what is looked at, and how; in which order, `examine`; what it leads to, `finding`; each group of checks
//! has a file.

mod clock;
mod examine;
mod finding;
mod fleet;
mod management;
mod queues;
mod round_trip;
mod servers;
mod settings;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::{EventClient, Result, Settings};
use settings::Told;

pub use finding::{Check, Finding, Report, Status};

/// How long an examination may take, unless more or less is asked for.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Examines the connections of a program.
///
/// ```
/// use zc_events::doctor::{Check, Doctor, Status};
/// use zc_events::{EventClient, Service, Settings};
///
/// let settings = Settings::builder()
///     .broker_url("memory://")
///     .events_redis_url("memory://")
///     .staging_name("test")
///     .service_name("orders")
///     .build()?;
/// let client = EventClient::new(settings)?;
/// let _service = Service::builder(&client).start()?;
///
/// let report = Doctor::of(&client).examine();
/// assert!(report.is_healthy(), "{report}");
/// assert_eq!(report.finding(Check::Consumers).map(|finding| finding.status), Some(Status::Ok));
/// # Ok::<(), zc_events::Error>(())
/// ```
#[must_use = "a doctor does nothing until `examine`"]
pub struct Doctor {
    subject: Subject,
    timeout: Duration,
    without: BTreeSet<Check>,
}

/// What is examined.
enum Subject {
    /// What a program would get from here.
    Env { settings: Box<Result<Settings>>, told: Told },
    /// A client that is there.
    Client(EventClient),
}

impl Doctor {
    /// Examines what [`Settings::from_env`] leads to. That settings are missing or wrong is a finding.
    pub fn from_env() -> Self {
        let (settings, told) = settings::from_env();
        Self::new(Subject::Env { settings: Box::new(settings), told })
    }

    /// Examines what a client's settings lead to. Over connections of its own, so that nothing happens to the client's;
    /// what is in memory is the client's.
    pub fn of(client: &EventClient) -> Self {
        Self::new(Subject::Client(client.clone()))
    }

    fn new(subject: Subject) -> Self {
        Self { subject, timeout: TIMEOUT, without: BTreeSet::new() }
    }

    /// How long the whole examination may take: 20 s unless set. What is not looked at by then is skipped.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Leaves a check out: that of consumers before the service has started, say.
    pub fn without(mut self, check: Check) -> Self {
        self.without.insert(check);
        self
    }

    /// Looks at everything, and says what it saw. Blocks for the timeout at most, and up to two seconds more where a
    /// server does not say goodbye.
    #[must_use]
    pub fn examine(&self) -> Report {
        self.examine_telling(|_| {})
    }

    /// [`Doctor::examine`], which tells each finding as soon as it is there.
    pub fn examine_telling(&self, mut tell: impl FnMut(&Finding)) -> Report {
        examine::examine(self, &mut tell)
    }
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor").field("timeout", &self.timeout).field("without", &self.without).finish_non_exhaustive()
    }
}

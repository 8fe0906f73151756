//! The entry point: what to examine, for how long, and which checks to leave out. `examination` runs the checks.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use zc_events::EventClient;

use crate::check::Check;
use crate::examination::{self, Plan};
use crate::finding::Finding;
use crate::report::Report;
use crate::settings::Subject;

/// The default limit of a whole examination.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Examines the settings and connections of a program.
///
/// ```
/// use std::time::Duration;
/// use zc_events::{EventClient, Settings};
/// use zc_events_doctor::{Check, Doctor};
///
/// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
/// let client = EventClient::new(settings)?;
/// let report = Doctor::new(&client).timeout(Duration::from_secs(5)).without(Check::Consumers).examine();
/// for finding in report.findings() {
///     println!("{finding}");
/// }
/// # Ok::<(), zc_events::Error>(())
/// ```
#[must_use = "a doctor does nothing until `examine`"]
pub struct Doctor {
    subject: Subject,
    plan: Plan,
}

impl Doctor {
    /// Examines the settings of a client and the servers that they name. It opens its own connections and leaves those of the
    /// client alone; an in-memory broker or store is the client's.
    pub fn new(client: &EventClient) -> Self {
        Self::of(Subject::Client(client.clone()))
    }

    /// Examines the settings that [`Settings::from_env`](zc_events::Settings::from_env) reads. Missing or wrong settings are
    /// reported as a finding.
    pub fn from_env() -> Self {
        Self::of(Subject::from_env())
    }

    pub(crate) fn of(subject: Subject) -> Self {
        Self { subject, plan: Plan { timeout: TIMEOUT, without: BTreeSet::new() } }
    }

    /// Limits the whole examination; 20 s unless set. Checks that are not done by then are skipped.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = timeout;
        self
    }

    /// Leaves out a check, such as [`Check::Consumers`] before the service has started.
    pub fn without(mut self, check: Check) -> Self {
        self.plan.without.insert(check);
        self
    }

    /// Runs all checks and reports their findings. Blocks for the timeout at most, and up to two seconds more if a server
    /// does not close its connection.
    #[must_use]
    pub fn examine(&self) -> Report {
        self.examine_with(|_| {})
    }

    /// Runs [`Doctor::examine`] and passes each finding to `on_finding` as soon as it is known.
    pub fn examine_with(&self, mut on_finding: impl FnMut(&Finding)) -> Report {
        examination::run(&self.subject, &self.plan, &mut on_finding)
    }
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor").field("plan", &self.plan).finish_non_exhaustive()
    }
}

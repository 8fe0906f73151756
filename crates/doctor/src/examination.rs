//! Runs the checks in their order, each within its share of the time. The files beside this one hold the checks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use zc_events::{Error, Settings};
use zc_events_cache::{ReplyStore, StoreInspection};
use zc_events_protocol::{Clock, Deadline, SystemClock};
use zc_events_transport::Broker;

use crate::check::Check;
use crate::clock::{self, ClockReading};
use crate::connectivity::{Connectivity, IN_MEMORY};
use crate::finding::Finding;
use crate::management_api::ManagementApi;
use crate::report::Report;
use crate::settings::Subject;
use crate::topology::ServiceTopology;
use crate::{reply_store, round_trip};

/// The limit of one check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit of asking the broker about exchanges and queues: some hundred questions, one after another.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// The limit of closing our own connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How to examine.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The limit of the whole examination.
    pub(crate) timeout: Duration,
    /// The checks to leave out.
    pub(crate) without: BTreeSet<Check>,
}

/// The broker and the store that accept connections.
struct Connections {
    broker: Option<Arc<dyn Broker>>,
    store: Option<Arc<dyn ReplyStore>>,
}

/// An examination in progress.
struct Examination<'a> {
    subject: &'a Subject,
    plan: &'a Plan,
    on_finding: &'a mut dyn FnMut(&Finding),
    report: Report,
    clock: &'a dyn Clock,
    deadline: Deadline,
}

pub(crate) fn run(subject: &Subject, plan: &Plan, on_finding: &mut dyn FnMut(&Finding)) -> Report {
    let clock: &dyn Clock = subject.settings().map_or(&SystemClock, Settings::clock);
    let deadline = clock.deadline(plan.timeout);
    let mut examination = Examination { subject, plan, on_finding, report: Report::default(), clock, deadline };
    examination.add(subject.check());
    match subject.settings() {
        Some(settings) => examination.servers(settings),
        None => examination.skip_rest("skipped until the settings are fixed"),
    }
    examination.report
}

impl<'a> Examination<'a> {
    fn add(&mut self, finding: Finding) {
        if !self.plan.without.contains(&finding.check) {
            (self.on_finding)(&finding);
            self.report.0.push(finding);
        }
    }

    /// Skips the checks before `next` that have not run.
    fn skip_until(&mut self, next: Option<Check>, why: &str) {
        let done = self.report.0.last().map(|finding| finding.check);
        for check in Check::ALL {
            if done.is_none_or(|done| check > done) && next.is_none_or(|next| check < next) {
                self.add(Finding::skipped(check, why));
            }
        }
    }

    fn skip_rest(&mut self, why: &str) {
        self.skip_until(None, why);
    }

    /// The deadline of something that may take this long.
    fn within(&self, time: Duration) -> Deadline {
        self.clock.deadline(time).min(self.deadline)
    }

    fn servers(&mut self, settings: &Settings) {
        // A server that does not respond leaves time for the other checks.
        let share = || self.within(CHECK_TIMEOUT.min(self.deadline.remaining(self.clock) / 3));
        let connectivity = match Connectivity::probe(settings, share) {
            Ok(connectivity) => connectivity,
            Err(error) => {
                self.add(Finding::failed(Check::Dns, error.to_string(), "check this machine's limit of threads"));
                return self.skip_rest("the servers cannot be probed");
            }
        };
        self.add(connectivity.dns());
        self.add(connectivity.tcp());
        self.add(connectivity.tls());
        self.add(connectivity.login());
        self.add(connectivity.virtual_host());
        let Connections { broker, store } = self.connect(settings, &connectivity);
        let management_clock = self.topology(settings, &connectivity, broker.as_ref());
        let reading = self.store(settings, &connectivity, store.as_ref(), management_clock);
        self.round_trip(settings, broker.as_ref(), store.as_ref());
        let is_configured = settings.has_reply_store() || settings.management_url().is_some();
        self.add(clock::check(reading.as_ref(), is_configured));
        if let (Some(broker), true) = (broker, settings.amqp_options().is_some()) {
            // The connections are ours, and all findings are in: how they close does not matter.
            let _ = broker.close(self.clock.deadline(CLOSE_TIMEOUT));
        }
    }

    /// Our own connections to the servers that accept them. An in-memory broker or store is the client's.
    fn connect(&self, settings: &Settings, connectivity: &Connectivity) -> Connections {
        let client = self.subject.client();
        let broker = match (settings.amqp_options(), client) {
            (None, Some(client)) => Some(Arc::clone(client.broker())),
            _ if connectivity.has_broker() => settings.open_broker().ok(),
            _ => None,
        };
        let store = match (&connectivity.redis, client) {
            (Some(redis), _) if redis.failure.is_some() => None,
            (None, Some(client)) => client.reply_store().cloned(),
            _ => settings.open_reply_store().ok().flatten(),
        };
        Connections { broker, store }
    }

    /// What the service has in the broker. Returns the clock of the management API, if that responds.
    fn topology(
        &mut self,
        settings: &Settings,
        connectivity: &Connectivity,
        broker: Option<&Arc<dyn Broker>>,
    ) -> Option<ClockReading> {
        let Some(broker) = broker else {
            let why = format!("{} failed", connectivity.failed_check());
            return self.management_only(settings, connectivity, &why);
        };
        let deadline = self.within(INSPECTION_TIMEOUT);
        let mut topology = match ServiceTopology::inspect(settings, broker, connectivity.vhost(), deadline) {
            Ok(topology) => topology,
            Err(error) => {
                self.add(Finding::failed(Check::Permissions, with_causes(&error), "check the broker's load and log"));
                return self.management_only(settings, connectivity, "the broker cannot be inspected");
            }
        };
        let left = self.left();
        let (management, reading, finding) = self.management(settings, connectivity, &left);
        let asked = management.as_ref().map_or(Ok(()), |management| topology.ask_management(management, &left));
        self.add(topology.permissions(connectivity.user()));
        self.add(topology.exchanges());
        self.add(topology.queues());
        self.add(match asked {
            Err(why) => {
                Finding::warning(Check::Management, why, "the user of MANAGEMENT_URL may need the tag `monitoring`")
            }
            Ok(()) => finding,
        });
        self.add(topology.bindings(management.as_ref(), &left));
        self.add(topology.consumers());
        self.add(topology.backlog());
        reading
    }

    /// How long one question may take now.
    fn left(&self) -> impl Fn() -> Duration + use<'a> {
        let (clock, deadline) = (self.clock, self.deadline);
        move || deadline.remaining(clock).min(CHECK_TIMEOUT)
    }

    /// The management API if the broker cannot be inspected: it has its own address and login.
    fn management_only(&mut self, settings: &Settings, connectivity: &Connectivity, why: &str) -> Option<ClockReading> {
        self.skip_until(Some(Check::Management), why);
        let mut reading = None;
        if settings.management_url().is_some() {
            let (_, its_clock, finding) = self.management(settings, connectivity, &self.left());
            self.add(finding);
            reading = its_clock;
        }
        self.skip_until(Some(Check::Redis), why);
        reading
    }

    fn management(
        &self,
        settings: &Settings,
        connectivity: &Connectivity,
        left: &impl Fn() -> Duration,
    ) -> (Option<ManagementApi>, Option<ClockReading>, Finding) {
        const CHECK: Check = Check::Management;
        if connectivity.nodes.is_none() {
            return (None, None, Finding::skipped(CHECK, IN_MEMORY));
        }
        let Some(url) = settings.management_url() else {
            let remedy = "set MANAGEMENT_URL to check bindings, policies and unacknowledged messages";
            return (None, None, Finding::unknown(CHECK, "MANAGEMENT_URL is not set", remedy));
        };
        let asked = ManagementApi::new(url, connectivity.vhost()).and_then(|management| {
            let before = self.clock.wall();
            let info = management.server_info(left())?;
            Ok((management, info, before))
        });
        match asked {
            Err(why) => {
                let seen = format!("cannot use the management API: {why}");
                let remedy =
                    "check MANAGEMENT_URL; if the plugin is off: `rabbitmq-plugins enable rabbitmq_management`";
                (None, None, Finding::warning(CHECK, seen, remedy))
            }
            Ok((management, info, before)) => {
                let finding = Finding::ok(CHECK, format!("RabbitMQ {} at {}", info.version, management.place()));
                let reading = info.time.map(|time| ClockReading {
                    server: "the management API",
                    time,
                    before,
                    after: self.clock.wall(),
                    resolution: Duration::from_secs(1),
                });
                (Some(management), reading, finding)
            }
        }
    }

    /// Redis. Returns the clock to compare with: that of Redis, or else that of the management API.
    fn store(
        &mut self,
        settings: &Settings,
        connectivity: &Connectivity,
        store: Option<&Arc<dyn ReplyStore>>,
        management_clock: Option<ClockReading>,
    ) -> Option<ClockReading> {
        let before = self.clock.wall();
        let inspected: Option<Result<StoreInspection, Error>> =
            store.map(|store| store.inspect(self.within(CHECK_TIMEOUT)).map_err(Error::from));
        let after = self.clock.wall();
        self.add(reply_store::login(connectivity.redis.as_ref(), inspected.as_ref()));
        let inspected = inspected.and_then(Result::ok);
        self.add(reply_store::eviction(settings.has_reply_store(), inspected.as_ref()));
        let reading = inspected.and_then(|inspected| inspected.time).map(|time| ClockReading {
            server: "Redis",
            time,
            before,
            after,
            resolution: Duration::ZERO,
        });
        reading.or(management_clock)
    }

    fn round_trip(
        &mut self,
        settings: &Settings,
        broker: Option<&Arc<dyn Broker>>,
        store: Option<&Arc<dyn ReplyStore>>,
    ) {
        const CHECK: Check = Check::RoundTrip;
        if self.plan.without.contains(&CHECK) {
            return;
        }
        let finding = match broker {
            None => Finding::skipped(CHECK, "the broker is unreachable"),
            Some(_) if self.deadline.has_passed(self.clock) => Finding::skipped(CHECK, "no time left"),
            Some(broker) => round_trip::check(settings, broker, store, self.within(CHECK_TIMEOUT)),
        };
        self.add(finding);
    }
}

/// An error and its causes.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text} ({error})");
        cause = error.source();
    }
    text
}

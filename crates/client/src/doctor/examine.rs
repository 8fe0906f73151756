//! The order in which things are looked at, and how long each may take. What is looked at, and how it is judged, is in the
//! files beside this one.

use std::sync::Arc;
use std::time::Duration;

use zc_events_cache::{ReplyStore, StoreInspection};
use zc_events_protocol::{Clock, Deadline, SystemClock};
use zc_events_transport::Broker;

use super::clock::Compared;
use super::finding::{Check, Finding, Report};
use super::fleet::Fleet;
use super::management::Management;
use super::servers::{self, IN_MEMORY, Ways};
use super::{Doctor, Subject, clock, round_trip, settings, store};
use crate::settings::{BrokerSetting, in_redis_url};
use crate::{Error, Settings};

/// How long one check may take.
const EACH: Duration = Duration::from_secs(5);
/// How long asking the broker about exchanges and queues may take: some hundred questions, one after the other.
const INSPECTION: Duration = Duration::from_secs(15);
/// How long our own connections may take to close.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where one gets in.
struct Open {
    broker: Option<Arc<dyn Broker>>,
    store: Option<Arc<dyn ReplyStore>>,
}

/// An examination under way.
struct Examination<'a> {
    doctor: &'a Doctor,
    tell: &'a mut dyn FnMut(&Finding),
    report: Report,
    clock: Arc<dyn Clock>,
    deadline: Deadline,
}

pub(super) fn examine(doctor: &Doctor, tell: &mut dyn FnMut(&Finding)) -> Report {
    let (finding, settings) = settings::check(doctor);
    let clock: Arc<dyn Clock> =
        settings.map_or_else(|| Arc::new(SystemClock) as _, |settings| Arc::clone(&settings.clock));
    let deadline = clock.deadline(doctor.timeout);
    let mut examination = Examination { doctor, tell, report: Report::default(), clock, deadline };
    examination.note(finding);
    match settings {
        Some(settings) => examination.servers(settings),
        None => examination.skip_rest("the settings come first"),
    }
    examination.report
}

impl Examination<'_> {
    fn note(&mut self, finding: Finding) {
        if !self.doctor.without.contains(&finding.check) {
            (self.tell)(&finding);
            self.report.0.push(finding);
        }
    }

    /// Skips those that are not there yet and come before `next`.
    fn skip_until(&mut self, next: Option<Check>, why: &str) {
        let done = self.report.0.last().map(|finding| finding.check);
        for check in Check::ALL {
            if done.is_none_or(|done| check > done) && next.is_none_or(|next| check < next) {
                self.note(Finding::skipped(check, why));
            }
        }
    }

    fn skip_rest(&mut self, why: &str) {
        self.skip_until(None, why);
    }

    /// The deadline of something that may take so long.
    fn within(&self, time: Duration) -> Deadline {
        self.clock.deadline(time).min(self.deadline)
    }

    fn is_over(&self) -> bool {
        self.deadline.has_passed(&*self.clock)
    }

    fn servers(&mut self, settings: &Settings) {
        // A server that says nothing leaves time for the others.
        let share = || self.within(EACH.min(self.deadline.remaining(&*self.clock) / 3));
        let ways = match servers::reach(settings, share) {
            Ok(ways) => ways,
            Err(error) => {
                self.note(Finding::failed(
                    Check::Dns,
                    error.to_string(),
                    "the system gives no threads: look at its limits",
                ));
                return self.skip_rest("nothing can be asked");
            }
        };
        self.note(ways.dns());
        self.note(ways.tcp());
        self.note(ways.tls());
        self.note(ways.login());
        self.note(ways.vhost_finding());
        let Open { broker, store } = self.open(settings, &ways);
        let managements = self.fleet(settings, &ways, broker.as_ref());
        let compared = self.store(&ways, store.as_ref(), managements);
        self.round_trip(settings, broker.as_ref(), store.as_ref());
        let is_asked = settings.redis_url.is_some() || settings.management_url.is_some();
        self.note(clock::check(compared.as_ref(), is_asked));
        if let (Some(broker), true) = (broker, settings.amqp_options().is_some()) {
            // It is ours alone, and nobody waits for it any more.
            let _ = broker.close(self.clock.deadline(GOODBYE));
        }
    }

    /// Connections of our own, to where one gets in; what is in memory is the client's.
    fn open(&self, settings: &Settings, ways: &Ways) -> Open {
        let client = match &self.doctor.subject {
            Subject::Client(client) => Some(client.inner()),
            Subject::Env { .. } => None,
        };
        let broker = match (&settings.broker, client) {
            (BrokerSetting::Memory { .. }, Some(client)) => Some(Arc::clone(&client.broker)),
            _ if ways.is_in() => settings.open_broker().ok(),
            _ => None,
        };
        let store = match (&ways.redis, client) {
            (Some(redis), _) if redis.obstacle.is_some() => None,
            (None, Some(client)) => client.store().ok().cloned(),
            _ => settings.open_store().ok().flatten(),
        };
        Open { broker, store }
    }

    /// What there is in the broker. Gives the management API's time, where that was asked.
    fn fleet(&mut self, settings: &Settings, ways: &Ways, broker: Option<&Arc<dyn Broker>>) -> Option<Compared> {
        let Some(broker) = broker else {
            let why = format!("{} failed", ways.stopped_at());
            return self.management_alone(settings, ways, &why);
        };
        let mut fleet = match Fleet::ask(settings, broker, ways.vhost(), self.within(INSPECTION)) {
            Ok(fleet) => fleet,
            Err(error) => {
                self.note(Finding::failed(
                    Check::Permissions,
                    in_full(&error),
                    "is the broker overloaded? its log may say more",
                ));
                return self.management_alone(settings, ways, "the broker does not tell");
            }
        };
        let left = self.left();
        let (management, compared, finding) = self.management(settings, ways, &left);
        let asked = management.as_ref().map_or(Ok(()), |management| fleet.ask_more(management, &left));
        let user = ways.nodes.iter().flatten().find(|node| node.probe.failure.is_none()).map_or("", |node| &node.user);
        self.note(fleet.permissions(user));
        self.note(fleet.exchanges());
        self.note(fleet.queues());
        self.note(match asked {
            Err(why) => {
                Finding::warning(Check::Management, why, "the user of MANAGEMENT_URL may need the tag `monitoring`")
            }
            Ok(()) => finding,
        });
        self.note(fleet.bindings(management.as_ref(), &left));
        self.note(fleet.consumers());
        self.note(fleet.backlog());
        compared
    }

    /// How long one question may still take.
    fn left(&self) -> impl Fn() -> Duration + use<> {
        let (clock, deadline) = (Arc::clone(&self.clock), self.deadline);
        move || deadline.remaining(&*clock).min(EACH)
    }

    /// The management API where the broker itself tells nothing: it has a way and a login of its own.
    fn management_alone(&mut self, settings: &Settings, ways: &Ways, why: &str) -> Option<Compared> {
        self.skip_until(Some(Check::Management), why);
        let mut compared = None;
        if settings.management_url.is_some() {
            let (_, theirs, finding) = self.management(settings, ways, &self.left());
            self.note(finding);
            compared = theirs;
        }
        self.skip_until(Some(Check::Redis), why);
        compared
    }

    fn management(
        &self,
        settings: &Settings,
        ways: &Ways,
        left: &impl Fn() -> Duration,
    ) -> (Option<Management>, Option<Compared>, Finding) {
        const CHECK: Check = Check::Management;
        if ways.nodes.is_none() {
            return (None, None, Finding::skipped(CHECK, IN_MEMORY));
        }
        let Some(url) = &settings.management_url else {
            let remedy = "set MANAGEMENT_URL to see bindings, policies, and what is out with consumers";
            return (None, None, Finding::unknown(CHECK, "MANAGEMENT_URL is not set", remedy));
        };
        let asked = Management::new(url, ways.vhost()).and_then(|management| {
            let before = self.clock.wall();
            let about = management.about(left())?;
            Ok((management, about, before))
        });
        match asked {
            Err(why) => {
                let seen = format!("the management API does not answer: {why}");
                let remedy = "check MANAGEMENT_URL; `rabbitmq-plugins enable rabbitmq_management` where it is off";
                (None, None, Finding::warning(CHECK, seen, remedy))
            }
            Ok((management, about, before)) => {
                let finding = Finding::ok(CHECK, format!("RabbitMQ {} at {}", about.version, management.place()));
                let compared = about.time.map(|theirs| Compared {
                    whose: "the management API",
                    theirs,
                    before,
                    after: self.clock.wall(),
                    grain: Duration::from_secs(1),
                });
                (Some(management), compared, finding)
            }
        }
    }

    /// Redis. Gives the time by which ours is judged.
    fn store(
        &mut self,
        ways: &Ways,
        store: Option<&Arc<dyn ReplyStore>>,
        managements: Option<Compared>,
    ) -> Option<Compared> {
        let before = self.clock.wall();
        let found: Option<Result<StoreInspection, Error>> =
            store.map(|store| store.inspect(self.within(EACH)).map_err(in_redis_url));
        let after = self.clock.wall();
        self.note(store::login(ways.redis.as_ref(), found.as_ref()));
        let found = found.and_then(Result::ok);
        self.note(store::eviction(found.as_ref()));
        let own = found.and_then(|found| found.time).map(|theirs| Compared {
            whose: "Redis",
            theirs,
            before,
            after,
            grain: Duration::ZERO,
        });
        own.or(managements)
    }

    fn round_trip(
        &mut self,
        settings: &Settings,
        broker: Option<&Arc<dyn Broker>>,
        store: Option<&Arc<dyn ReplyStore>>,
    ) {
        const CHECK: Check = Check::RoundTrip;
        if self.doctor.without.contains(&CHECK) {
            return;
        }
        let finding = match broker {
            None => Finding::skipped(CHECK, "the broker cannot be reached"),
            Some(_) if self.is_over() => Finding::skipped(CHECK, "no time is left for it"),
            Some(broker) => round_trip::check(settings, broker, store, self.within(EACH)),
        };
        self.note(finding);
    }
}

/// An error and its causes.
fn in_full(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text} ({error})");
        cause = error.source();
    }
    text
}

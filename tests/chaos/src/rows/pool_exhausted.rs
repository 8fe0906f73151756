//! 200 callers on pools of 8, while waiting calls hold all connections and channels.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zc_events::{Clock, Context, EventClient, HandlerError, ResourceView, Service, Stage, SystemClock, ViewResult};
use zc_events_cache::ReplyStore;
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_protocol::{Deadline, Properties};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, Error, Outgoing, Queue, Topology};

use crate::burst::Burst;
use crate::callers::{Calls, ECHO, Echo, FIRST, all_are_answered};
use crate::{Done, Fixture, Mode, Report, Row, SchedulerDelay, Way};
use integration_tests::{unique, wait_until};

pub(super) static ROW: Row = Row {
    name: "pool-exhausted",
    fault: "200 callers on pools of 8: no service answers, Redis swallows, the broker reads nothing",
    must_hold: "p99 ends by deadline + 50 ms, all by + 500 ms; calls that wait for the pool say so; answers that come arrive",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const CALLERS: u64 = 200;
const POOL: u32 = 8;
const TIMEOUT: Duration = Duration::from_millis(1500);
const TTL: Duration = Duration::from_secs(60);
/// Larger than the buffer between two threads of a channel.
const BODY: usize = 4 << 20;
/// More messages than channels, and more than all buffers on the way hold.
const LARGE: usize = 24;
const GLANCE: Duration = Duration::from_millis(200);

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let rounds = fixture.scale(20, 1);
    requests(fixture, report, rounds)?;
    pushes(fixture, report, rounds)?;
    publishes(fixture, report, fixture.scale(5, 1))
}

/// Checks the limits; `late` is how late this machine was meanwhile.
fn on_time(report: &mut Report, what: &str, overruns: &[Duration], late: &SchedulerDelay) {
    report.all_within(what, overruns, Duration::from_millis(50), Duration::from_millis(500), late);
}

/// Answers when all callers wait.
struct Late {
    echo: Echo,
    client: EventClient,
}

impl ResourceView for Late {
    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        let all_wait = || self.client.health().waiting as u64 >= CALLERS || self.echo.asked() > 0;
        wait_until(PATIENCE, all_wait).map_err(HandlerError::new)?;
        self.echo.retrieve(context, pk)
    }
}

/// Requests to a stopped service, requests while Redis is silent, and requests to a service that answers late.
fn requests(fixture: &Fixture, report: &mut Report, rounds: u64) -> Done {
    let (proxy, url) = fixture.redis_proxy()?;
    let settings = fixture.settings("pool").events_timeout(TIMEOUT).events_pool_size(POOL).events_redis_pool_size(POOL);
    let (server, direct) = (EventClient::new(settings.clone().build()?)?, settings.clone().build()?);
    let client = EventClient::new(settings.events_redis_url(url).build()?)?;
    let late_view = Late { echo: Echo::default(), client: client.clone() };
    let service = Service::builder(&server).resource(ECHO, late_view).start()?;
    all_are_answered(report, &client, CALLERS, "when all wait");
    report.equal("abandoned", service.stop(PATIENCE).abandoned, 0);

    let late = fixture.delay();
    let (silence, swallowed) = (Calls::new(TIMEOUT), Calls::new(TIMEOUT));
    for _ in 0..rounds {
        // The queue is still bound, but has no consumer.
        silence.ask_all(&client, CALLERS as usize, FIRST..FIRST + CALLERS, || ());
    }
    silence.report(report, "unanswered: ");
    report.equal("unanswered: timeouts", silence.timeouts(), rounds * CALLERS);
    on_time(report, "unanswered: overrun", &silence.late(), &late);
    report.check("the service's queue took the requests", {
        let queue = format!("{}-events", direct.service_name().unwrap_or_default());
        fixture.plain()?.ready(&queue).is_ok()
    });

    let service = Service::builder(&server).resource(ECHO, Echo::default()).start()?;
    let late = fixture.delay();
    for _ in 0..rounds {
        let passed = proxy.passed();
        proxy.set(Way::Both, Mode::Swallow);
        swallowed.ask_all(&client, CALLERS as usize, FIRST..FIRST + CALLERS, || ());
        report.check("nothing passed to and from Redis", proxy.passed() == passed);
        proxy.set(Way::Both, Mode::Pass);
        all_are_answered(report, &client, CALLERS, "when Redis speaks again");
    }
    swallowed.report(report, "Redis silent: ");
    report.equal("Redis silent: answered", swallowed.answered(), 0);
    on_time(report, "Redis silent: overrun", &swallowed.late(), &late);
    report.check("the service consumes", service.health().is_ready());
    Ok(())
}

/// Pushes of replies, as a service does at the end of each request, while Redis is silent.
fn pushes(fixture: &Fixture, report: &mut Report, rounds: u64) -> Done {
    let (proxy, url) = fixture.redis_proxy()?;
    let mut options = RedisOptions::new(RedisUrl::parse(&url)?, Arc::new(SystemClock));
    options.pool_size = POOL;
    let store = RedisReplyStore::new(options)?;
    let push = |deadline: Deadline| store.push(&unique("zc-pool"), b"x", TTL, deadline);
    let (late, mut burst) = (fixture.delay(), Burst::default());
    for _ in 0..rounds {
        push(SystemClock.deadline(PATIENCE))?;
        proxy.set(Way::Both, Mode::Swallow);
        burst.run(CALLERS, TIMEOUT, |deadline| match push(deadline) {
            Err(zc_events_cache::Error::Timeout { stage }) => Ok(Some(stage)),
            Err(other) => Err(other.to_string()),
            Ok(()) => Ok(None),
        });
        proxy.set(Way::Both, Mode::Pass);
    }
    // When one call ends, the next may get its connection for the rest of its time.
    burst.report(report, "pushes", Stage::Pool, rounds * CALLERS / 2);
    on_time(report, "pushes: overrun", &burst.late, &late);
    let after = thread::scope(|scope| {
        let all: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| push(SystemClock.deadline(PATIENCE)).is_ok())).collect();
        all.into_iter().map(thread::ScopedJoinHandle::join).filter(|it| matches!(it, Ok(true))).count()
    });
    report.equal("pushed afterwards", after as u64, CALLERS);
    Ok(())
}

fn is_timeout(error: &Error, at: Stage) -> bool {
    matches!(error, Error::Timeout { stage } if *stage == at)
}

/// All channels handing over messages that the broker does not take, and 200 who have a small one.
fn publishes(fixture: &Fixture, report: &mut Report, rounds: u64) -> Done {
    let (proxy, url) = fixture.broker_proxy()?;
    let options = AmqpOptions::new(url.parse()?).channels(POOL).in_flight_bytes(BODY * 100);
    let broker = AmqpBroker::new(options)?;
    let (queue, properties, body) = (unique("zc-pool"), Properties::default(), vec![b'x'; BODY]);
    let few = Queue::durable(queue.as_str()).arguments([("x-max-length".to_owned(), 5.into())].into());
    broker.declare(&Topology::new().queue(few), SystemClock.deadline(PATIENCE))?;
    let publish = |size: usize, deadline: Deadline| {
        let (exchange, routing_key, body) = ("", queue.as_str(), &body[..size]);
        let message = Outgoing { exchange, routing_key, mandatory: true, properties: &properties, body };
        broker.send(&message, deadline)?.wait(deadline)
    };
    let (late, mut burst) = (fixture.delay(), Burst::default());
    for _ in 0..rounds {
        publish(1, SystemClock.deadline(PATIENCE))?;
        proxy.set(Way::Up, Mode::Hold);
        let refused: Result<Vec<String>, String> = thread::scope(|scope| {
            let one = || publish(BODY, SystemClock.deadline(PATIENCE)).err();
            let large: Vec<_> = (0..LARGE).map(|_| scope.spawn(one)).collect();
            // More than the buffers hold, so that each channel has one that it cannot hand over.
            let ran_out = || publish(1, SystemClock.deadline(GLANCE)).is_err_and(|it| is_timeout(&it, Stage::Pool));
            let all = wait_until(PATIENCE, || broker.health().unconfirmed >= LARGE && ran_out());
            burst.run(CALLERS, TIMEOUT, |deadline| match publish(1, deadline) {
                Err(Error::Timeout { stage }) => Ok(Some(stage)),
                Err(other) => Err(other.to_string()),
                Ok(_) => Ok(None),
            });
            proxy.set(Way::Up, Mode::Pass);
            let ended = large.into_iter().map(|it| it.join().unwrap_or_else(|_| Some(Error::Closed)));
            let refused = ended.flatten().map(|error| error.to_string()).collect();
            all.map(|()| refused)
        });
        let refused = refused?;
        report.check(&format!("large messages arrive when the broker takes them: {refused:?}"), refused.is_empty());
    }
    burst.report(report, "publishes", Stage::Pool, rounds * CALLERS);
    on_time(report, "publishes: overrun", &burst.late, &late);
    let mut after = Burst::default();
    after.run(CALLERS, PATIENCE, |deadline| publish(1, deadline).map(|_| None).map_err(|error| error.to_string()));
    report.equal("published afterwards", after.done, CALLERS);
    fixture.plain()?.delete_queue(&queue)?;
    Ok(())
}

//! A restart and an alarm have the same effects with RabbitMQ and with the broker in memory: one suite runs on both.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::SystemClock;
use zc_events_transport::QuorumPriorities;
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::conformance::{Breaker, Suite, fault_behaviours};
use zc_events_transport::memory::MemoryBroker;

use crate::{Done, Fixture, MemoryAlarm, Report, Row};

pub(super) static ROW: Row = Row {
    name: "same-in-memory",
    fault: "RabbitMQ gets SIGKILL, a restart and a memory alarm; a script does the same to the broker in memory",
    must_hold: "one suite about messages, subscriptions and calls passes on both",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let options = AmqpOptions::new(fixture.broker_url().parse()?).connection_name("same-in-memory");
    AmqpBroker::new(options.clone())?;
    let alarm = RefCell::new(None);
    let suite = Suite {
        make: &|| Arc::new(AmqpBroker::new(options.clone()).expect("it was made before")),
        delete_queue: &|queue| {
            fixture.plain().and_then(|plain| plain.delete_queue(queue)).expect("deleting a queue");
        },
        clock: &SystemClock,
        patience: PATIENCE,
        quiet: Duration::from_millis(200),
        quorum_priorities: QuorumPriorities::Ignored, // no fault behaviour depends on it
    };
    let breaker = Breaker {
        restart: &|| {
            fixture.keep_topology().expect("RabbitMQ writes down its queues");
            fixture.kill_broker();
            fixture.start_broker().expect("RabbitMQ comes back");
        },
        alarm: &|raised| {
            let changed = if raised { Some(MemoryAlarm::raise(fixture).expect("an alarm")) } else { None };
            *alarm.borrow_mut() = changed;
        },
    };
    hold(report, "RabbitMQ", &suite, &breaker);

    let name = integration_tests::unique("same-in-memory");
    let server = MemoryBroker::named(&name, Arc::new(SystemClock));
    let suite = Suite {
        make: &|| Arc::new(MemoryBroker::named(&name, Arc::new(SystemClock))),
        delete_queue: &|queue| assert!(server.delete_queue(queue)),
        ..suite
    };
    let breaker =
        Breaker { restart: &|| server.restart(), alarm: &|raised| server.block(raised.then_some("low on memory")) };
    hold(report, "in memory", &suite, &breaker);
    Ok(())
}

fn hold(report: &mut Report, broker: &str, suite: &Suite<'_>, breaker: &Breaker<'_>) {
    let mut held = 0;
    for behaviour in fault_behaviours() {
        let checked = catch_unwind(AssertUnwindSafe(|| behaviour.check(suite, breaker)));
        report.check(&format!("{broker}: {}", behaviour.name), checked.is_ok());
        held += u64::from(checked.is_ok());
    }
    report.figure(&format!("behaviours held, {broker}"), held);
}

//! Events that wait for their next attempt while the queue to which they return is deleted or full.

use std::error::Error;
use std::time::{Duration, Instant};

use amiquip::{AmqpProperties, AmqpValue};

use super::failing_service::{FLAKY, FailingService};
use super::{Fixture, Report};
use integration_tests::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
/// How long the retries wait: the service is stopped meanwhile.
const PAUSE: Duration = Duration::from_secs(5);
/// How long the broker may take to notice that it cannot republish the due messages.
const FOUND: Duration = Duration::from_secs(1);
/// The setting of RabbitMQ for how often it checks whether the target queue is back.
const AGAIN: &str = "dead_letter_worker_publisher_confirm_timeout";
/// Its default, in ms.
const DEFAULT: u64 = 180_000;
/// The value in these rows, in ms.
const SOON: u64 = 2_000;

/// Lets the broker check again soon, until [`restore_dlx_confirm_timeout`] is told the value that this returns.
pub(super) fn shorten_dlx_confirm_timeout(fixture: &Fixture) -> Result<u64, String> {
    let question =
        format!("V = application:get_env(rabbit, {AGAIN}), application:set_env(rabbit, {AGAIN}, {SOON}), V.");
    let printed = fixture.rabbitmqctl(&["eval", &question])?;
    Ok(printed.trim().strip_prefix("{ok,").and_then(|it| it.strip_suffix('}')?.parse().ok()).unwrap_or(DEFAULT))
}

pub(super) fn restore_dlx_confirm_timeout(fixture: &Fixture, milliseconds: u64) -> Result<(), String> {
    fixture.rabbitmqctl(&["eval", &format!("application:set_env(rabbit, {AGAIN}, {milliseconds}).")]).map(drop)
}

/// What happened to the target queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueFault {
    Deleted,
    Full,
}

/// Lets `messages` events fail, stops the service, puts the fault in the way of those that come back, takes it away.
pub(super) fn block(fixture: &Fixture, fault: QueueFault, messages: u64) -> Result<Report, String> {
    run(fixture, fault, messages).map_err(|error| error.to_string())
}

fn run(fixture: &Fixture, fault: QueueFault, messages: u64) -> Result<Report, Box<dyn Error>> {
    let name = if fault == QueueFault::Deleted { "target gone" } else { "target full" };
    let mut report = Report::default();
    let mut failing = FailingService::new(fixture, "held", PAUSE)?;
    let (queue, retry) = (failing.queue(""), failing.queue(".retry.5s"));
    let plain = fixture.plain()?;
    if fault == QueueFault::Full {
        let arguments = [
            ("x-max-length", AmqpValue::LongLongInt(i64::try_from(messages)?)),
            ("x-overflow", AmqpValue::LongString("reject-publish".to_owned())),
        ];
        plain.declare_exchange(&failing.exchange)?;
        plain.declare_queue(&queue, &arguments)?;
        plain.bind(&queue, &failing.exchange)?;
    }
    failing.start()?;
    failing.emit(FLAKY, messages)?;
    wait_until(PATIENCE, || failing.health().retried == messages)
        .map_err(|late| format!("{name}: all {messages} wait for their retry: {late}: {:?}", failing.health()))?;
    let all_wait = Instant::now();
    failing.stop();
    // What was too fast, if this machine is slow. It is put back in the end.
    let mut early = plain.take_all(&queue)?;
    match fault {
        QueueFault::Deleted => {
            while fixture.plain()?.delete_empty_queue(&queue).is_err() {
                early.extend(plain.take_all(&queue)?);
            }
        }
        QueueFault::Full => {
            for _ in plain.ready(&queue)?..messages {
                plain.publish("", &queue, b"{}", AmqpProperties::default())?;
            }
            wait_until(PATIENCE, || plain.ready(&queue).is_ok_and(|ready| ready == messages))
                .map_err(|late| format!("{name}: the queue is full: {late}: {:?}", plain.ready(&queue)))?;
        }
    }
    // All were due, and the broker has found the fault.
    wait_until(PATIENCE, || all_wait.elapsed() > PAUSE + FOUND && plain.ready(&retry).is_ok_and(|ready| ready == 0))
        .map_err(|late| format!("{name}: the retries are due: {late}: {:?}", plain.ready(&retry)))?;
    let handled_before = failing.ledger.handles() as u64;
    let stays = match fault {
        QueueFault::Deleted => fixture.plain()?.ready(&queue).is_err(),
        QueueFault::Full => plain.ready(&queue)? == messages,
    };
    let waiting = messages - handled_before - early.len() as u64;
    failing.start()?;
    // Not before there is room.
    wait_until(PATIENCE, || plain.ready(&queue).is_ok_and(|ready| ready == 0))
        .map_err(|late| format!("{name}: the queue is consumed: {late}: {:?}", plain.ready(&queue)))?;
    for delivery in &early {
        plain.publish("", &queue, &delivery.body, delivery.properties.clone())?;
    }
    let handled = wait_until(PATIENCE, || failing.ledger.lost() == 0);
    report.figure(&format!("{name}: held for it"), waiting);
    report.figure(&format!("{name}: lost"), failing.ledger.lost());
    report.check(&format!("{name}: it stays so until the service comes"), stays);
    report.check(&format!("{name}: some had to wait for it"), waiting * 2 > messages);
    report.check(&format!("{name}: all are handled, lost {:?}", failing.ledger.examples_lost()), handled.is_ok());
    report.equal(&format!("{name}: handled twice"), failing.ledger.duplicates(), 0);
    failing.stop();
    Ok(report)
}

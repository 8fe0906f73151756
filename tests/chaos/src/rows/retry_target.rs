//! The queues of failed events, and the queue to which retries return, are full or deleted.

use std::thread;
use std::time::Duration;

use amiquip::AmqpValue;

use crate::blocked_retries::{QueueFault, block, restore_dlx_confirm_timeout, shorten_dlx_confirm_timeout};
use crate::failing_service::{FLAKY, FailingService, HOPELESS};
use crate::{AmqpClient, Done, Fixture, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "retry-target",
    fault: "the retry queue, the dead letters, and the queue that retries come back to: full, or deleted",
    must_hold: "with quorum queues each event is handled, a dead letter, or still in a queue; not covered: what is in a queue that is deleted, and brokers without quorum queues (a classic retry queue loses what comes due while its target is full or gone)",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let messages = fixture.scale(2_000, 200);
    let (before, parts) = thread::scope(|threads| {
        let mut parts = vec![
            threads.spawn(|| part(fixture, messages, retry_queue)),
            threads.spawn(|| part(fixture, messages, dead_letters)),
        ];
        let before = shorten_dlx_confirm_timeout(fixture);
        if before.is_ok() {
            parts.push(threads.spawn(|| block(fixture, QueueFault::Deleted, messages / 4)));
            parts.push(threads.spawn(|| block(fixture, QueueFault::Full, messages / 4)));
        }
        (before, parts.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>())
    });
    restore_dlx_confirm_timeout(fixture, before?)?;
    for part in parts {
        report.absorb(part.map_err(|_| "a part of the row panicked")??);
    }
    Ok(())
}

fn part(fixture: &Fixture, messages: u64, run: fn(&Fixture, &mut Report, u64) -> Done) -> Result<Report, String> {
    let mut report = Report::default();
    run(fixture, &mut report, messages).map_err(|error| error.to_string())?;
    Ok(report)
}

/// A quorum queue that refuses messages above its length limit.
fn limited(plain: &AmqpClient, queue: &str, length: u64, more: &[(&str, AmqpValue)]) -> Done {
    let text = |text: &str| AmqpValue::LongString(text.to_owned());
    let mut arguments = vec![
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length", AmqpValue::LongLongInt(i64::try_from(length)?)),
    ];
    arguments.extend_from_slice(more);
    plain.declare_queue(queue, &arguments)
}

fn retry_queue(fixture: &Fixture, report: &mut Report, messages: u64) -> Done {
    let mut failing = FailingService::new(fixture, "retry", PAUSE)?;
    let retry = failing.queue(".retry.1s");
    let plain = fixture.plain()?;
    let back = [
        ("x-message-ttl", AmqpValue::LongLongInt(i64::try_from(PAUSE.as_millis())?)),
        ("x-dead-letter-exchange", AmqpValue::LongString(String::new())),
        ("x-dead-letter-routing-key", AmqpValue::LongString(failing.queue(""))),
        ("x-dead-letter-strategy", AmqpValue::LongString("at-least-once".to_owned())),
    ];
    // The limit is so low that the queue is full at once, also on a slow machine. It empties once a second.
    limited(&plain, &retry, fixture.scale(100, 40), &back)?;
    failing.start()?;

    failing.emit(FLAKY, messages)?;
    let mut refused = 0;
    let handled = wait_until(PATIENCE, || {
        refused = refused.max(failing.health().blocked_moves);
        failing.ledger.lost() == 0
    });
    report.figure("retry queue full: refused, at once", refused);
    report.figure("retry queue full: lost", failing.ledger.lost());
    report.check("retry queue full: it refuses some", refused > 0);
    report.check(&format!("retry queue full: lost {:?}", failing.ledger.examples_lost()), handled.is_ok());
    report.equal("retry queue full: handled twice", failing.ledger.duplicates(), 0);

    wait_until(PATIENCE, || plain.ready(&retry).is_ok_and(|ready| ready == 0) && failing.health().under_way == 0)?;
    report.equal("retry queue gone: in it when it is deleted", plain.delete_queue(&retry)?, 0);
    failing.emit(FLAKY, messages)?;
    let handled = wait_until(PATIENCE, || failing.ledger.lost() == 0);
    report.figure("retry queue gone: lost", failing.ledger.lost());
    report.check(&format!("retry queue gone: lost {:?}", failing.ledger.examples_lost()), handled.is_ok());
    report.check("retry queue gone: it is there again", plain.ready(&retry).is_ok());

    // Deleted with messages in it, while more are due to go there. Only the messages in the queue are lost.
    let before = failing.health().retried;
    failing.emit(FLAKY, messages)?;
    wait_until(PATIENCE, || failing.health().retried > before + messages / 10)?;
    let destroyed = fixture.plain()?.delete_queue(&retry)?;
    let in_it_at_most = failing.health().retried - before + 8;
    wait_until(PATIENCE, || {
        let health = failing.health();
        let queued = fixture.plain().and_then(|plain| Ok(plain.ready(&failing.queue(""))? + plain.ready(&retry)?));
        health.under_way == 0 && health.retried >= before + messages && queued.is_ok_and(|queued| queued == 0)
    })?;
    let settled = wait_until(PAUSE * 3, || failing.ledger.lost() == 0);
    report.figure("retry queue deleted with events in it", destroyed);
    report.figure("of all", messages);
    report.figure("gone with it", failing.ledger.lost());
    report.check("some were in it", destroyed > 0 && settled.is_err());
    report.check(
        &format!("gone with it: at most {in_it_at_most}, but {} are", failing.ledger.lost()),
        failing.ledger.lost() as u64 <= in_it_at_most,
    );
    report.equal("dead letters of events that fail once", failing.health().dead_lettered, 0);
    failing.stop();
    Ok(())
}

fn dead_letters(fixture: &Fixture, report: &mut Report, messages: u64) -> Done {
    let mut failing = FailingService::new(fixture, "dead", PAUSE)?;
    let (queue, dead) = (failing.queue(""), failing.queue(".dead"));
    let plain = fixture.plain()?;
    limited(&plain, &dead, messages / 3, &[])?;
    failing.start()?;
    failing.emit(HOPELESS, messages)?;
    // The queue is full, and other messages wait for room.
    wait_until(PATIENCE, || {
        let health = failing.health();
        health.blocked_moves > 0 && plain.ready(&dead).is_ok_and(|ready| ready >= messages / 3)
    })?;
    let refused = failing.health().blocked_moves;
    report.check("dead letters full: it is not all in there", failing.health().dead_lettered < messages);
    let mut letters = failing.take_dead_letters(&plain)?;
    let all = wait_until(PATIENCE, || {
        letters.extend(failing.take_dead_letters(&plain).unwrap_or_default());
        failing.ledger.lost() == 0
    });
    report.figure("dead letters full: refused, at once", refused);
    report.figure("dead letters full: lost", failing.ledger.lost());
    report.check(&format!("dead letters full: lost {:?}", failing.ledger.examples_lost()), all.is_ok());
    report.equal("dead letters full: letters", letters.len() as u64, messages);

    wait_until(PATIENCE, || plain.ready(&queue).is_ok_and(|ready| ready == 0) && failing.health().under_way == 0)?;
    report.equal("dead letters gone: in the queue when it is deleted", plain.delete_queue(&dead)?, 0);
    failing.emit(HOPELESS, messages)?;
    wait_until(PATIENCE, || failing.health().dead_lettered >= 2 * messages)?;
    let letters = failing.take_dead_letters(&fixture.plain()?)?;
    report.figure("dead letters gone: lost", failing.ledger.lost());
    report.equal("dead letters gone: letters", letters.len() as u64, messages);
    report.equal("dead letters gone: lost", failing.ledger.lost(), 0);
    report.check("they all say why", letters.iter().all(|letter| letter.reason == "failed" && letter.has_origin));
    failing.stop();
    Ok(())
}

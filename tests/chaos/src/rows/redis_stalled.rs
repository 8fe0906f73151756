//! Redis does not answer for longer than all deadlines, and then answers everything at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zc_events::{Dedup, EventClient, Service};

use crate::callers::{Calls, ECHO, Echo, FIRST, all_are_answered};
use crate::{Done, Fixture, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "redis-stalled",
    fault: "CLIENT PAUSE ALL, again and again, for longer than requests and reads wait",
    must_hold: "0 crossed; of those not answered p99 ends by deadline + 100 ms, all by + 500 ms",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than the timeout of every request.
const STALL: Duration = Duration::from_millis(1500);
/// Longer than the time in which a connection may bring a late answer.
const LONG_STALL: Duration = Duration::from_millis(6500);
const CALLERS: usize = 64;
/// The number of requests that are answered between two stalls.
const BETWEEN: u64 = 300;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let stalls = [(STALL, fixture.scale(20, 1)), (LONG_STALL, fixture.scale(5, 1))];
    let stalls: Vec<Duration> =
        stalls.iter().flat_map(|(stall, count)| std::iter::repeat_n(*stall, *count as usize)).collect();
    // Deduplication in the store adds other commands, which could be mixed up with answers.
    let settings = fixture.settings("redis-stalled").events_dedup(Dedup::Store);
    let (server, client) = (EventClient::new(settings.clone().build()?)?, EventClient::new(settings.build()?)?);
    let service = Service::builder(&server).resource(ECHO, Echo::default()).workers(8).start()?;

    all_are_answered(report, &client, 200, "before");

    let late = fixture.delay();
    let calls = Calls::new(Duration::ZERO);
    let (next, over) = (AtomicU64::new(FIRST), AtomicBool::new(false));
    let timed_out: Result<Vec<u64>, String> = thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    // Some calls end within a stall, some at its end, and some wait through all of it.
                    let more = if number.is_multiple_of(8) { 2000 } else { 0 };
                    calls.ask_within(&client, number, Duration::from_millis(200 + number * 37 % 1000 + more));
                }
            });
        }
        let ran_out = stalls.iter().map(|stall| inject(fixture, &calls, *stall)).collect();
        over.store(true, Ordering::SeqCst);
        ran_out
    });
    let timed_out = timed_out?;

    calls.report(report, "");
    report.figure("stalls", stalls.len());
    report.figure("fewest timeouts in a stall", timed_out.iter().min().copied().unwrap_or_default());
    report.check("each stall lets as many requests run out as there are callers", {
        timed_out.iter().all(|count| *count >= CALLERS as u64)
    });
    let (p99, worst) = (Duration::from_millis(100), Duration::from_millis(500));
    report.all_within("overrun", &calls.late(), p99, worst, &late);
    report.check("the service consumes", service.health().is_ready());
    report.equal("dead letters", service.health().dead_lettered, 0);
    all_are_answered(report, &client, 200, "afterwards");
    Ok(())
}

/// Pauses Redis while requests are answered. Returns the number of timeouts when Redis answers again.
fn inject(fixture: &Fixture, calls: &Calls, stall: Duration) -> Result<u64, String> {
    let answered = calls.answered();
    wait_until(PATIENCE, || calls.answered() >= answered + BETWEEN)?;
    let before = calls.timeouts();
    let mut redis = fixture.redis().map_err(|error| error.to_string())?;
    let millis = stall.as_millis().to_string();
    let begun = Instant::now();
    redis.command::<String>(&["CLIENT", "PAUSE", &millis, "ALL"]).map_err(|error| error.to_string())?;
    redis.command::<String>(&["PING"]).map_err(|error| error.to_string())?;
    if begun.elapsed() < stall - Duration::from_millis(100) {
        return Err(format!("Redis was to be silent for {stall:?}, and was for {:?}", begun.elapsed()));
    }
    Ok(calls.timeouts() - before)
}

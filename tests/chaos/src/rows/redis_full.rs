//! Redis that takes nothing more, while requests are answered.

use std::time::Duration;

use zc_events::{EventClient, Service};

use crate::callers::{Calls, ECHO, Echo, FIRST, all_are_answered};
use crate::{Done, Fixture, RedisClient, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "redis-full",
    fault: "maxmemory of 1 byte with noeviction, again and again, while requests are answered",
    must_hold: "every failed reply is counted by the service and a Timeout of its caller, none is silent; works again afterwards",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than the delay before the second attempt to push a reply.
const TIMEOUT: Duration = Duration::from_secs(3);
const CALLERS: usize = 100;
/// Requests in each round.
const BATCH: u64 = 700;
/// So many replies must fail finally before Redis gets room again.
const FAILURES: u64 = 50;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let rounds = fixture.scale(20, 2);
    let settings = fixture.settings("redis-full").events_timeout(TIMEOUT).events_attempts(2);
    let (server, client) = (EventClient::new(settings.clone().build()?)?, EventClient::new(settings.build()?)?);
    let echo = Echo::default();
    let service = Service::builder(&server).resource(ECHO, echo.clone()).workers(8).start()?;
    let mut redis = fixture.redis()?;
    let before: (String, String) = redis.command(&["CONFIG", "GET", "maxmemory"])?;
    let policy: (String, String) = redis.command(&["CONFIG", "GET", "maxmemory-policy"])?;
    all_are_answered(report, &client, CALLERS as u64, "before");
    // A reply is counted after it is pushed, a moment after its caller has it.
    wait_until(PATIENCE, || service.health().processed == echo.asked())?;
    // Keys that other rows left.
    redis.command::<String>(&["FLUSHALL"])?;
    redis.command::<String>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])?;
    let (asked, processed) = (echo.asked(), service.health().processed);

    let late = fixture.delay();
    let calls = Calls::new(TIMEOUT);
    let (mut refused, mut left, mut settled) = (0, 0, true);
    for round in 0..rounds {
        let (first, unanswered) = (calls.begun(), service.health().unanswered);
        let numbers = FIRST + round * BATCH..FIRST + (round + 1) * BATCH;
        let done = calls.ask_all(&client, CALLERS, numbers, || -> Result<(), String> {
            wait_until(PATIENCE, || calls.begun() >= first + BATCH / 3)?;
            fill(&mut redis, "1")?;
            refused += u64::from(redis.command::<i64>(&["RPUSH", "zc-chaos-full", "x"]).is_err());
            wait_until(PATIENCE, || service.health().unanswered >= unanswered + FAILURES)?;
            // One more reply is put off. Its second attempt comes a second later and finds room.
            let put_off = service.health().retried;
            wait_until(PATIENCE, || service.health().retried > put_off)?;
            fill(&mut redis, &before.1)
        });
        fill(&mut redis, &before.1)?;
        done?;
        // Wait until the last delayed replies are pushed, and until replies that were taken for a caller that had given
        // up are put back. Replies that no call takes expire after a minute.
        let mut behind = 0;
        settled &= wait_until(PATIENCE, || {
            let (health, keys) = (service.health(), redis.command::<Vec<String>>(&["KEYS", "*"]).unwrap_or_default());
            behind = keys.iter().filter(|key| !key.starts_with("zc-events-wake-")).count() as u64;
            let pushed = health.processed - processed;
            echo.asked() - asked == pushed + health.unanswered
                && pushed == calls.answered() + left + behind + client.health().answers_lost
        })
        .is_ok();
        left += behind;
        redis.command::<String>(&["FLUSHALL"])?;
    }
    redis.command::<String>(&["CONFIG", "SET", "maxmemory-policy", &policy.1])?;
    let (health, requests) = (service.health(), rounds * BATCH);
    let (asked, processed) = (echo.asked() - asked, health.processed - processed);

    calls.report(report, "");
    report.figure("handled", asked);
    report.figure("replies put off", health.retried);
    report.figure("replies pushed", processed);
    report.figure("replies given up", health.unanswered);
    let lost = client.health().answers_lost;
    report.figure("replies whose caller had given up", left);
    report.figure("of these not put back", lost);
    report.equal("rounds in which Redis refused", refused, rounds);
    report.check("each round made replies fail for good", health.unanswered >= rounds * FAILURES);
    report.check("some replies were pushed by a second attempt", health.retried > health.unanswered);
    report.check("each reply was pushed or given up", settled);
    report.equal("answered + unanswered", calls.answered() + left + lost + health.unanswered, asked);
    report.equal("replies pushed", processed, calls.answered() + left + lost);
    report.equal("requests that were answered or timed out", calls.answered() + calls.timeouts(), requests);
    report.equal("timeouts", calls.timeouts(), health.unanswered + left + lost + (requests - asked));
    let told = server.health().reply_store_last_error.unwrap_or_default();
    report.check(&format!("the service's health says why: {told:?}"), told.contains("maxmemory"));
    let (p99, worst) = (Duration::from_millis(100), Duration::from_millis(500));
    report.all_within("overrun", &calls.late(), p99, worst, &late);
    report.equal("dead letters", health.dead_lettered, 0);
    all_are_answered(report, &client, 200, "afterwards");
    Ok(())
}

fn fill(redis: &mut RedisClient, bytes: &str) -> Result<(), String> {
    let set = redis.command::<String>(&["CONFIG", "SET", "maxmemory", bytes]);
    set.map(drop).map_err(|error| error.to_string())
}

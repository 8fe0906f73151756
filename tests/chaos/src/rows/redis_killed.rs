//! The connections of Redis are cut, and Redis itself is killed, while requests are answered.

use std::time::Duration;

use zc_events::{EventClient, Service};

use crate::callers::{Calls, ECHO, Echo, FIRST, all_are_answered};
use crate::{Done, Fixture, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "redis-killed",
    fault: "CLIENT KILL of all clients, SIGKILL to Redis and a new one, while requests are answered",
    must_hold: "each request ends as its own answer, a Timeout or an Unknown, by its deadline; 0 answers to the wrong caller",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(2);
/// More callers than connections, so that some share a connection.
const CALLERS: usize = 32;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let requests = fixture.scale(100_000, 5_000);
    let (kills, crashes) = (fixture.scale(300, 20), fixture.scale(20, 3));
    let settings = fixture.settings("redis-killed").events_timeout(TIMEOUT);
    // Two clients, as in production: each must notice by itself that its connections are cut.
    let (server, client) = (EventClient::new(settings.clone().build()?)?, EventClient::new(settings.build()?)?);
    let service = Service::builder(&server).resource(ECHO, Echo::default()).workers(8).start()?;

    all_are_answered(report, &client, 50, "before");

    let late = fixture.delay();
    let calls = Calls::new(TIMEOUT);
    let injected =
        calls.ask_all(&client, CALLERS, FIRST..FIRST + requests, || inject(fixture, &calls, requests, kills, crashes));
    let (cut, crashed) = injected?;

    calls.report(report, "");
    report.figure("connections cut by Redis", cut);
    report.figure("crashes of Redis", crashed);
    report.figure("answers put off", service.health().retried);
    report.equal("requests", calls.begun(), requests);
    report.check("each CLIENT KILL found a connection or more", cut >= kills);
    report.equal("crashes", crashed, crashes);
    report.check("the fault cost some requests their answers", calls.unknown() + calls.timeouts() > 0);
    report.check("more than half are answered all the same", calls.answered() * 2 > requests);
    let overrun = calls.late().into_iter().max().unwrap_or_default();
    report.within("overrun, worst", overrun, Duration::from_millis(500), &late);
    report.check("the service consumes", service.health().is_ready());
    report.equal("dead letters", service.health().dead_lettered, 0);
    all_are_answered(report, &client, 200, "afterwards");
    Ok(())
}

/// Spreads the faults over the requests. Returns how many connections Redis cut, and how often it was killed.
fn inject(fixture: &Fixture, calls: &Calls, requests: u64, kills: u64, crashes: u64) -> Result<(u64, u64), String> {
    let (mut cut, mut crashed) = (0, 0);
    let faults = kills + crashes;
    for fault in 0..faults {
        wait_until(PATIENCE, || calls.begun() >= requests * (fault + 1) / (faults + 2))?;
        if (fault + 1) * crashes / faults > crashed {
            fixture.kill_redis();
            crashed += 1;
            fixture.start_redis()?;
        } else {
            // The connection that sends the command is spared.
            let killed = fixture.redis().and_then(|mut it| it.command::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]));
            cut += killed.map_err(|error| error.to_string())?;
        }
    }
    Ok((cut, crashed))
}

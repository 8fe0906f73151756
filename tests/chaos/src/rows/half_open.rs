//! Connections that both ends believe to be open, while the bytes of one direction or of both are lost.

use std::time::{Duration, Instant};

use zc_events::Settings;

use crate::{Done, Fixture, Load, Proxy, Report, Row, Way};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "half-open",
    fault: "a proxy swallows all bytes to the broker, from it, or both ways, of all open connections",
    must_hold: "publisher and consumer notice within 2 x heartbeat + 2 s and come back; nothing confirmed is lost",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(120);
/// The time from the notice to a new connection: the first pauses between attempts are short.
const ANEW: Duration = Duration::from_secs(1);
/// The time until everything works again: the longest pause, and the attempt.
const BACK: Duration = Duration::from_secs(5);
/// The connections: one of the client, one for the service's queue, one for its quarantine.
const CONNECTIONS: usize = 3;
const EMITTERS: usize = 2;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let heartbeat = fixture.scale(10, 2);
    let limit = Duration::from_secs(2 * heartbeat + 2);
    report.figure("heartbeat", format!("{heartbeat} s"));
    for (way, name) in [(Way::Up, "up"), (Way::Down, "down"), (Way::Both, "both")] {
        let (proxy, url) = fixture.broker_proxy()?;
        let settings = fixture
            .settings("half-open")
            .broker_url(url)
            .events_heartbeat(heartbeat as u16)
            // No emitter waits for a confirm now, so only the heartbeat can notice the fault.
            .events_publish_timeout(limit * 2);
        swallow(fixture, report, &proxy, settings.build()?, (way, name), limit)?;
    }
    Ok(())
}

fn swallow(
    fixture: &Fixture,
    report: &mut Report,
    proxy: &Proxy,
    settings: Settings,
    (way, name): (Way, &str),
    limit: Duration,
) -> Done {
    let mut load = Load::start(settings, EMITTERS)?;
    let flows = |since: (u64, u64)| load.confirmed() > since.0 + 20 && load.handled() > since.1 + 20;
    wait_until(PATIENCE, || flows((0, 0)))?;
    let (opened, accepted) = (load.client.health().connections, proxy.accepted());
    let late = fixture.delay();
    let begun = Instant::now();
    let swallowed = proxy.forget(way);
    let (mut publisher, mut consumer, mut anew) = (None, None, None);
    let noticed = wait_until(PATIENCE, || {
        let client = load.client.health();
        if !client.connected || client.connections > opened {
            publisher.get_or_insert_with(|| begun.elapsed());
        }
        if !load.service.health().consuming {
            consumer.get_or_insert_with(|| begun.elapsed());
        }
        // A new connection is opened only after the old one is given up.
        if proxy.accepted() >= accepted + CONNECTIONS {
            anew.get_or_insert_with(|| begun.elapsed());
        }
        publisher.is_some() && consumer.is_some() && anew.is_some()
    });
    let since = (load.confirmed(), load.handled());
    let back = wait_until(PATIENCE, || load.service.health().consuming && flows(since));
    let again = begun.elapsed();
    let ended = load.stop_emitting(PATIENCE);
    report.equal(&format!("{name}: connections that are swallowed"), swallowed, CONNECTIONS);
    report.check(&format!("{name}: publisher and consumer notice"), noticed.is_ok());
    report.check(&format!("{name}: publishing and consuming come back"), back.is_ok());
    report.check(&format!("{name}: every call ended"), ended);
    report.within(&format!("{name}: publisher notices"), publisher.unwrap_or(PATIENCE), limit, &late);
    report.within(&format!("{name}: consumer notices"), consumer.unwrap_or(PATIENCE), limit, &late);
    report.within(&format!("{name}: all connected anew"), anew.unwrap_or(PATIENCE), limit + ANEW, &late);
    report.within(&format!("{name}: all back"), again, limit + BACK, &late);
    load.settle(fixture, report);
    Ok(())
}

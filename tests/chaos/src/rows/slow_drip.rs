//! A broker that sends one byte every 400 ms while a connection is opened or closed.

use std::thread;
use std::time::{Duration, Instant};

use zc_events::{Context, Error, Event, EventClient, Outcome, Service, Settings, Value};

use crate::{Done, Fixture, Mode, Proxy, Report, Row, SchedulerDelay, Way};
use integration_tests::{eventually, wait_until};

pub(super) static ROW: Row = Row {
    name: "slow-drip",
    fault: "1 byte per 400 ms from the broker, while a connection is opened and closed",
    must_hold: "emitting, asking, starting a service and closing end by their deadline + 0.5 s",
    run,
    child: None,
};

const DRIP: Mode = Mode::Drip(Duration::from_millis(400));
const PATIENCE: Duration = Duration::from_secs(30);
const LEEWAY: Duration = Duration::from_millis(500);
/// The timeout of calls, and of closing.
const CALL: Duration = Duration::from_secs(2);
const CLOSE: Duration = Duration::from_secs(1);
/// How long closing a consumer's connection may take, in addition to the service's wait for its handlers.
const STOP: Duration = Duration::from_secs(5);
const CALLERS: usize = 8;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let (proxy, url) = fixture.broker_proxy()?;
    let settings = |url: &str| fixture.settings("drip").broker_url(url).events_publish_timeout(CALL).build();
    let late = fixture.delay();
    for (way, name) in [(Way::Down, "from the broker"), (Way::Both, "both ways")] {
        proxy.set(way, DRIP);
        calls(report, name, settings(&url)?, &late)?;
    }
    proxy.set(Way::Both, Mode::Pass);
    proxy.set(Way::Down, DRIP);
    // By default opening a connection may take 10 s.
    let (limit, url_of_service) = match fixture.quick {
        true => (CALL, format!("{url}?connection_timeout={}", CALL.as_millis())),
        false => (Duration::from_secs(10), url.clone()),
    };
    start(report, settings(&url_of_service)?, limit, &late)?;
    close_while_opening(report, &proxy, settings(&url)?, &late)?;
    goodbye(report, &proxy, settings(&url)?, &late)
}

/// Events and requests of several callers at once.
fn calls(report: &mut Report, name: &str, settings: Settings, late: &SchedulerDelay) -> Done {
    let client = EventClient::new(settings)?;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let client = client.clone();
            thread::spawn(move || {
                let begun = Instant::now();
                let ended = if caller % 2 == 0 {
                    client.emit(&Event::new("dripped"))
                } else {
                    client.remote("Drip").pk(1).timeout(CALL).fetch::<Value>().map(drop)
                };
                (begun.elapsed(), ended)
            })
        })
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        let (time, ended) = caller.join().map_err(|_| "a caller panicked")?;
        took.push(time);
        let timeout =
            ended.as_ref().is_err_and(|error| error.is_timeout() || matches!(error, Error::Unavailable { .. }));
        report.check(&format!("dripped {name}, a call says that there is no connection: {ended:?}"), timeout);
        let outcome = ended.err().map(|error| error.outcome());
        report.check(&format!("dripped {name}, nothing was sent: {outcome:?}"), outcome == Some(Outcome::NotSent));
    }
    let worst = took.into_iter().max().unwrap_or_default();
    report.within(&format!("dripped {name}, calls with a deadline of 2 s end"), worst, CALL + LEEWAY, late);
    Ok(())
}

/// A service that cannot start.
fn start(report: &mut Report, settings: Settings, limit: Duration, late: &SchedulerDelay) -> Done {
    let client = EventClient::new(settings)?;
    let begun = Instant::now();
    let started = Service::builder(&client).on("dripped", |_: &Context, _: Value| Ok(())).start();
    report.within("a service that may take as long to connect says so", begun.elapsed(), limit + LEEWAY, late);
    report.check("a service does not start", started.is_err());
    Ok(())
}

/// A client that is closed while a call of it opens the connection.
fn close_while_opening(report: &mut Report, proxy: &Proxy, settings: Settings, late: &SchedulerDelay) -> Done {
    let client = EventClient::new(settings)?;
    let accepted = proxy.accepted();
    let emitter = client.clone();
    let emitting = thread::spawn(move || {
        let begun = Instant::now();
        (emitter.emit(&Event::new("dripped")), begun.elapsed())
    });
    wait_until(PATIENCE, || proxy.accepted() > accepted)?;
    let begun = Instant::now();
    let closed = client.close(CLOSE);
    report.within("closing while connecting", begun.elapsed(), CLOSE + LEEWAY, late);
    report.check(&format!("closing what is not open yet succeeds: {closed:?}"), closed.is_ok());
    let (emitted, took) = emitting.join().map_err(|_| "an emitter panicked")?;
    report.within("the call that was connecting ends", took, CALL + LEEWAY, late);
    report.check("it did not succeed", emitted.is_err());
    Ok(())
}

/// Closes an open client while the broker answers byte by byte. Afterwards a new client can connect.
fn goodbye(report: &mut Report, proxy: &Proxy, settings: Settings, late: &SchedulerDelay) -> Done {
    proxy.set(Way::Both, Mode::Pass);
    let client = EventClient::new(settings)?;
    let service = Service::builder(&client).on("dripped", |_: &Context, _: Value| Ok(())).start()?;
    report.check("with nothing dripped the same call succeeds", client.emit(&Event::new("dripped")).is_ok());
    eventually(PATIENCE, || service.health().processed == 1);
    proxy.set(Way::Down, DRIP);
    let begun = Instant::now();
    let closed = client.close(CLOSE);
    report.within("closing an open connection", begun.elapsed(), CLOSE + LEEWAY, late);
    let cut = closed.is_err_and(|error| error.is_timeout());
    report.check("closing says that the broker did not answer in time", cut);
    let begun = Instant::now();
    let stopped = service.stop(CLOSE);
    report.within("stopping the service of a closed client", begun.elapsed(), STOP + LEEWAY, late);
    report.equal("abandoned", stopped.abandoned, 0);
    proxy.set(Way::Both, Mode::Pass);
    Ok(())
}

//! Messages that cannot be handled, of every kind, among good ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use amiquip::{AmqpProperties, AmqpValue, Delivery};
use zc_events::{Context, EmitReceipt, Event, EventClient, HandlerError, Retry, Service, Value};

use crate::callers::{ECHO, Echo, all_are_answered};
use crate::malformed::{FAILS, FAILS_TWICE, MalformedMessages, PANICS, Shape, TYPED, UNHEARD, sound};
use crate::panics::{ON_PURPOSE, PanicCounter};
use crate::{Done, Fixture, Ledger, Report, Row};
use integration_tests::raw::{Raw, short};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "poison",
    fault: "truncated, bombs, nesting, wrong types, not UTF-8, hostile headers, pickle, handlers that fail and panic",
    must_hold: "each is exactly one dead letter, with its reason; the consumer lives; good events are handled, those of others ignored",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(300);
/// The first number of the good events.
const GOOD: u64 = 1 << 40;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let count = fixture.scale(100_000, 5_000);
    let settings = fixture.settings("poison").events_attempts(1).build()?;
    let name = settings.service_name().unwrap_or_default().to_owned();
    let (exchange, dead) = (settings.events_exchange().to_owned(), format!("{name}-events.dead"));
    let client = EventClient::new(settings)?;
    let (panics, ledger) = (PanicCounter::expecting_on_purpose(), Arc::new(Ledger::default()));
    let service = service(&client, &ledger)?;

    let sent = publish_all(fixture, &client, &exchange, count, &ledger)?;
    let all = wait_until(PATIENCE, || {
        let health = service.health();
        health.dead_lettered >= sent.dead.len() as u64 && ledger.handles() as u64 >= sent.good && health.under_way == 0
    });
    let plain = fixture.plain()?;
    let left = wait_until(PATIENCE, || plain.ready(&format!("{name}-events")).is_ok_and(|left| left == 0));
    let health = service.health();
    let letters = Letters::read(&plain.drain(&dead)?, &sent.dead);

    report.figure("malformed messages", count);
    report.figure("dead letters", letters.count);
    for (reason, count) in &letters.reasons {
        report.figure(reason, count);
    }
    report.figure("good events", sent.good);
    report.figure("events of others", sent.unheard);
    report.figure("panics of handlers", panics.expected());
    report.check("all of it is done with", all.is_ok() && left.is_ok());
    report.equal("dead letters", letters.count, sent.dead.len() as u64);
    report.equal("malformed messages without a dead letter", letters.missing, 0);
    report.equal("dead letters that there are twice, or should not be", letters.surplus, 0);
    report.check(&format!("each has its reason, but {:?}", letters.wrong), letters.wrong.is_empty());
    report.equal("dead letters after two attempts", letters.second_attempts, sent.twice);
    report.equal("dead letters as the service counts them", health.dead_lettered, letters.count);
    report.equal("good events handled", ledger.handles() as u64, sent.good);
    report.equal("handled twice", ledger.duplicates(), 0);
    report.equal("events of others ignored", health.ignored, sent.unheard);
    report.equal("panics of handlers", panics.expected(), sent.panics);
    report.equal("panics of anything else", panics.others(), 0);
    report.check(&format!("no connection was lost: {:?}", health.last_error), health.last_error.is_none());
    report.check("the service consumes", health.is_ready());
    report.equal("connections for publishing", client.health().connections, 1);
    all_are_answered(report, &client, 50, "afterwards");
    Ok(())
}

fn service(client: &EventClient, ledger: &Arc<Ledger>) -> Result<Service, zc_events::Error> {
    let book = Arc::clone(ledger);
    let fail = |_: &Context, _: Value| Err(HandlerError::new("it fails"));
    Service::builder(client)
        .on(TYPED, move |context: &Context, payload: BTreeMap<String, u64>| {
            book.handled(payload["number"], context.is_redelivered());
            Ok(())
        })
        .on(PANICS, |_: &Context, _: Value| panic!("{ON_PURPOSE}"))
        .on(FAILS, fail)
        .on(FAILS_TWICE, fail)
        .retry(Retry::attempts(2).backoff(Duration::from_secs(1), Duration::from_secs(1)))
        .resource(ECHO, Echo::default())
        .workers(8)
        .start()
}

/// The messages that were sent.
#[derive(Default)]
struct Sent {
    /// The ids of messages that must be dead-lettered, with the reasons.
    dead: HashMap<String, &'static str>,
    good: u64,
    unheard: u64,
    panics: u64,
    twice: u64,
}

fn publish_all(
    fixture: &Fixture,
    client: &EventClient,
    exchange: &str,
    count: u64,
    ledger: &Ledger,
) -> Result<Sent, Box<dyn std::error::Error>> {
    let (malformed, plain, mut raw) =
        (MalformedMessages::new()?, fixture.plain()?, Raw::connect(fixture.broker_url())?);
    let (mut sent, mut out): (Sent, Vec<(u64, EmitReceipt)>) = (Sent::default(), Vec::new());
    for n in 0..count {
        let (id, message) = (format!("malformed-{n}"), malformed.message(n));
        sent.panics += u64::from(message.reason == Some("panicked"));
        sent.twice += u64::from(message.body == sound(n, FAILS_TWICE).as_bytes());
        match message.shape {
            Shape::Valid(properties) => {
                plain.publish(exchange, "", &message.body, properties.with_message_id(id.clone()))?;
            }
            Shape::Raw { flags, before } => {
                let properties = [&flags[..], &before, &short(id.as_bytes())].concat();
                raw.publish(exchange, b"", &properties, &message.body)?;
            }
        }
        match message.reason {
            Some(reason) => drop(sent.dead.insert(id, reason)),
            None => sent.unheard += 1,
        }
        if n % 5 == 0 {
            let number = GOOD + n;
            ledger.attempted(number);
            out.push((number, client.start_emit(&Event::new(TYPED).set("number", number)?)?));
            sent.good += 1;
        }
        if n % 10 == 0 {
            plain.publish(exchange, "", sound(GOOD + n, UNHEARD).as_bytes(), AmqpProperties::default())?;
            sent.unheard += 1;
        }
        if out.len() == 64 || n + 1 == count {
            out.drain(..).try_for_each(|(_, receipt)| receipt.wait())?;
        }
    }
    Ok(sent)
}

/// The content of the dead letters.
#[derive(Default)]
struct Letters {
    count: u64,
    reasons: BTreeMap<String, u64>,
    missing: u64,
    surplus: u64,
    second_attempts: u64,
    /// An example for each unexpected reason.
    wrong: BTreeMap<(String, String), String>,
}

impl Letters {
    fn read(all: &[Delivery], expected: &HashMap<String, &'static str>) -> Self {
        let mut letters = Self { count: all.len() as u64, ..Self::default() };
        let mut due: HashMap<&str, &str> = expected.iter().map(|(id, reason)| (id.as_str(), *reason)).collect();
        for letter in all {
            let header = |name: &str| letter.properties.headers().as_ref().and_then(|it| it.get(name));
            let reason = match header("x-zc-reason") {
                Some(AmqpValue::LongString(reason)) => reason.clone(),
                other => format!("no reason but {other:?}"),
            };
            letters.second_attempts += u64::from(header("x-zc-attempts") == Some(&AmqpValue::LongInt(2)));
            let id = letter.properties.message_id().as_deref().unwrap_or_default();
            match due.remove(id) {
                None => letters.surplus += 1,
                Some(wanted) if wanted != reason => {
                    letters.wrong.insert((wanted.to_owned(), reason.clone()), id.to_owned());
                }
                Some(_) => {}
            }
            *letters.reasons.entry(reason).or_default() += 1;
        }
        letters.missing = due.len() as u64;
        letters
    }
}

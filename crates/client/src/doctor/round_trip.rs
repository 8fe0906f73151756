//! A message through the broker and an answer through Redis, over an exchange, a queue and a key of its own.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use zc_events_cache::ReplyStore;
use zc_events_protocol::{Deadline, Properties};
use zc_events_transport::{Broker, ConsumeOptions, ExchangeKind, Outgoing, Queue, Subscription, Topology};

use super::finding::{Check, Finding};
use crate::settings::in_redis_url;
use crate::{Error, Settings};

/// How many are made; one more before them is not counted, since it opens connections.
const ROUNDS: usize = 10;
/// From here on it is slow.
const SLOW: Duration = Duration::from_millis(250);
/// How long a key lives that was not taken.
const TTL: Duration = Duration::from_secs(10);
/// A queue that is in memory outlives its connection for so long.
const WHILE: Duration = Duration::from_secs(60);

/// How long one took, through the one and through the other.
struct Round {
    broker: Duration,
    store: Duration,
}

pub(super) fn check(
    settings: &Settings,
    broker: &Arc<dyn Broker>,
    store: Option<&Arc<dyn ReplyStore>>,
    limit: Deadline,
) -> Finding {
    const CHECK: Check = Check::RoundTrip;
    match rounds(settings, broker, store, limit) {
        Ok(rounds) => {
            let total = median(rounds.iter().map(|round| round.broker + round.store));
            let slowest = rounds.iter().map(|round| round.broker + round.store).max().unwrap_or_default();
            let through = median(rounds.iter().map(|round| round.broker));
            let seen = match store {
                Some(_) => format!(
                    "{} ({} through the broker, {} through Redis), at most {}",
                    millis(total),
                    millis(through),
                    millis(median(rounds.iter().map(|round| round.store))),
                    millis(slowest)
                ),
                None => format!("{} through the broker alone, at most {}", millis(through), millis(slowest)),
            };
            if total >= SLOW {
                return Finding::warning(CHECK, seen, "slow: is a server overloaded, or far away?");
            }
            Finding::ok(CHECK, seen)
        }
        Err(error @ Error::Rejected { .. }) if error.to_string().contains("ACCESS_REFUSED") => Finding::unknown(
            CHECK,
            format!("the user may not declare things of its own: {error}"),
            format!("let it configure, write and read `{}-doctor-.*`, to have this measured", whose(settings)),
        ),
        Err(error) => {
            // A broker tells of its alarm only once something was sent, and then confirms nothing.
            let error = match broker.health().blocked {
                Some((_, reason)) if error.is_timeout() => Error::Blocked { reason },
                _ => error,
            };
            Finding::failed(CHECK, error.to_string(), remedy(&error))
        }
    }
}

fn remedy(error: &Error) -> &'static str {
    match error {
        Error::Blocked { .. } => "the broker's memory or disk is low: `rabbitmq-diagnostics alarms`",
        Error::Timeout { .. } => "a server is there, and does not answer in time: is it overloaded?",
        _ => "look at the server's log for this moment",
    }
}

fn whose(settings: &Settings) -> &str {
    settings.service_name().unwrap_or("zc-events")
}

fn rounds(
    settings: &Settings,
    broker: &Arc<dyn Broker>,
    store: Option<&Arc<dyn ReplyStore>>,
    limit: Deadline,
) -> Result<Vec<Round>, Error> {
    let unique = Uuid::new_v4().simple().to_string();
    let name = format!("{}-doctor-{unique}", whose(settings));
    let topology = Topology::new()
        .exchange(&name, ExchangeKind::Fanout)
        .queue(Queue::temporary(&name))
        .bind(&name, &name, "")
        .temporary(WHILE);
    let mut queue = broker.subscribe_with(&topology, &name, ConsumeOptions { prefetch: 1 }, limit)?;
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        rounds.push(round(settings, broker, &mut queue, store, &name, limit)?);
    }
    Ok(rounds.split_off(1))
}

fn round(
    settings: &Settings,
    broker: &Arc<dyn Broker>,
    queue: &mut Box<dyn Subscription>,
    store: Option<&Arc<dyn ReplyStore>>,
    name: &str,
    limit: Deadline,
) -> Result<Round, Error> {
    let clock = &*settings.clock;
    let begun = clock.now();
    let properties = Properties::default();
    let message =
        Outgoing { exchange: name, routing_key: "", mandatory: true, properties: &properties, body: name.as_bytes() };
    let receipt = broker.send(&message, limit)?;
    let late = |stage| Error::Timeout { stage };
    let delivery = queue.next(limit)?.ok_or_else(|| late(crate::Stage::Confirm))?;
    let arrived = clock.now();
    delivery.settler.ack();
    receipt.wait(limit)?;
    let asked = clock.now();
    if let Some(store) = store {
        store.push(name, b"answer", TTL, limit).map_err(in_redis_url)?;
        store.pop(&[name], limit).map_err(in_redis_url)?.ok_or_else(|| late(crate::Stage::Store))?;
    }
    let answered = clock.now();
    Ok(Round { broker: arrived.saturating_duration_since(begun), store: answered.saturating_duration_since(asked) })
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `0.8 ms`, `12 ms`, `1.2 s`.
pub(super) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        millis if millis < 10.0 => format!("{millis:.1} ms"),
        millis if millis < 1000.0 => format!("{millis:.0} ms"),
        millis => format!("{:.1} s", millis / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_exact_as_they_matter() {
        let of = |micros| millis(Duration::from_micros(micros));
        assert_eq!(
            [of(49), of(812), of(9_949), of(12_345), of(1_234_567)],
            ["0.0 ms", "0.8 ms", "9.9 ms", "12 ms", "1.2 s"]
        );
        assert_eq!(median([3, 1, 2].map(Duration::from_secs).into_iter()), Duration::from_secs(2));
    }
}

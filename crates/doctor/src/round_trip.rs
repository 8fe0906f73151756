//! Sends messages through the broker and replies through Redis, over its own temporary exchange, queue and key.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use zc_events::{Error, Settings, Stage};
use zc_events_cache::ReplyStore;
use zc_events_protocol::{Deadline, Properties};
use zc_events_transport::{Broker, ConsumeOptions, ExchangeKind, Outgoing, Queue, Subscription, Topology};

use crate::check::Check;
use crate::duration::millis;
use crate::finding::Finding;

/// How many rounds are measured. The one before them opens connections and does not count.
const ROUNDS: usize = 10;
/// From this duration on, a round is slow.
const SLOW: Duration = Duration::from_millis(250);
/// The lifetime of a reply that is not taken.
const REPLY_TTL: Duration = Duration::from_secs(10);
/// An in-memory queue lives this long after its connection.
const QUEUE_EXPIRES: Duration = Duration::from_secs(60);

/// How long one round took in the broker and in the store.
struct Round {
    broker: Duration,
    store: Duration,
}

/// What failed.
enum Failure {
    Broker(Error),
    Store(Error),
}

/// The servers that are measured.
struct Servers<'a> {
    settings: &'a Settings,
    broker: &'a Arc<dyn Broker>,
    store: Option<&'a Arc<dyn ReplyStore>>,
    limit: Deadline,
}

pub(crate) fn check(
    settings: &Settings,
    broker: &Arc<dyn Broker>,
    store: Option<&Arc<dyn ReplyStore>>,
    limit: Deadline,
) -> Finding {
    const CHECK: Check = Check::RoundTrip;
    let servers = Servers { settings, broker, store, limit };
    match servers.rounds() {
        Ok(rounds) => {
            let total = median(rounds.iter().map(|round| round.broker + round.store));
            let slowest = rounds.iter().map(|round| round.broker + round.store).max().unwrap_or_default();
            let in_broker = millis(median(rounds.iter().map(|round| round.broker)));
            let seen = match store {
                Some(_) => format!(
                    "{} (broker {in_broker}, Redis {}), slowest {}",
                    millis(total),
                    millis(median(rounds.iter().map(|round| round.store))),
                    millis(slowest)
                ),
                None => format!("{in_broker} (broker only), slowest {}", millis(slowest)),
            };
            if total >= SLOW {
                return Finding::warning(CHECK, seen, "slow: check the load of the servers and the network");
            }
            Finding::ok(CHECK, seen)
        }
        Err(Failure::Store(error)) => Finding::failed(CHECK, format!("Redis: {error}"), remedy(&error)),
        Err(Failure::Broker(error @ Error::Rejected { .. })) if error.to_string().contains("ACCESS_REFUSED") => {
            Finding::unknown(
                CHECK,
                format!("the user may not declare a temporary queue: {error}"),
                format!("to measure this, grant configure, write and read on `{}-doctor-.*`", prefix(settings)),
            )
        }
        Err(Failure::Broker(error)) => {
            // The broker reports its alarm only after something was sent, and then does not confirm.
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
        Error::Blocked { .. } => "the broker is low on memory or disk: see `rabbitmq-diagnostics alarms`",
        Error::Timeout { .. } => "the server did not respond in time: check its load",
        _ => "see the server's log for this time",
    }
}

/// The beginning of the names of the exchange and the queue.
fn prefix(settings: &Settings) -> &str {
    settings.service_name().unwrap_or("zc-events")
}

impl Servers<'_> {
    fn rounds(&self) -> Result<Vec<Round>, Failure> {
        let unique = Uuid::new_v4().simple().to_string();
        let name = format!("{}-doctor-{unique}", prefix(self.settings));
        let topology = Topology::new()
            .exchange(&name, ExchangeKind::Fanout)
            .queue(Queue::temporary(&name))
            .bind(&name, &name, "")
            .temporary(QUEUE_EXPIRES);
        let options = ConsumeOptions { prefetch: 1 };
        let subscribed = self.broker.subscribe_with(&topology, &name, options, self.limit);
        let mut queue = subscribed.map_err(of_broker)?;
        let mut rounds = Vec::new();
        for _ in 0..=ROUNDS {
            rounds.push(self.round(&mut queue, &name)?);
        }
        Ok(rounds.split_off(1))
    }

    fn round(&self, queue: &mut Box<dyn Subscription>, name: &str) -> Result<Round, Failure> {
        let clock = self.settings.clock();
        let begun = clock.now();
        let properties = Properties::default();
        let message = Outgoing {
            exchange: name,
            routing_key: "",
            mandatory: true,
            properties: &properties,
            body: name.as_bytes(),
        };
        let receipt = self.broker.send(&message, self.limit).map_err(of_broker)?;
        let late = || Failure::Broker(Error::Timeout { stage: Stage::Confirm });
        let delivery = queue.next(self.limit).map_err(of_broker)?.ok_or_else(late)?;
        let arrived = clock.now();
        delivery.settler.ack();
        receipt.wait(self.limit).map_err(of_broker)?;
        let begun_in_store = clock.now();
        if let Some(store) = self.store {
            let late = || Failure::Store(Error::Timeout { stage: Stage::Store });
            store.push(name, b"answer", REPLY_TTL, self.limit).map_err(of_store)?;
            store.pop(&[name], self.limit).map_err(of_store)?.ok_or_else(late)?;
        }
        let stored = clock.now();
        Ok(Round {
            broker: arrived.saturating_duration_since(begun),
            store: stored.saturating_duration_since(begun_in_store),
        })
    }
}

fn of_broker(error: zc_events_transport::Error) -> Failure {
    Failure::Broker(error.into())
}

fn of_store(error: zc_events_cache::Error) -> Failure {
    Failure::Store(error.into())
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median([3, 1, 2].map(Duration::from_secs).into_iter()), Duration::from_secs(2));
    }
}

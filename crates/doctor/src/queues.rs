//! The exchanges and queues of a service: whether they match the settings, have consumers, and how full they are.

use zc_events_protocol::names;
use zc_events_transport::{Difference, InspectedExchange, InspectedQueue, Presence};

use crate::check::Check;
use crate::finding::{Finding, FindingBuilder, Status};
use crate::topology::{NO_SERVICE, ServiceTopology};

/// From this number on, waiting events are a warning.
const MANY: u64 = 1000;

impl ServiceTopology<'_> {
    pub(crate) fn exchanges(&self) -> Finding {
        let mut finding = FindingBuilder::new(Check::Exchanges);
        for exchange in &self.found.exchanges {
            self.check_exchange(exchange, &mut finding);
        }
        finding.build()
    }

    fn check_exchange(&self, exchange: &InspectedExchange, finding: &mut FindingBuilder) {
        let name = &exchange.name;
        let is_for_events = name == self.settings.events_exchange();
        let (setting, kind) =
            if is_for_events { ("EVENTS_EXCHANGE", "fanout") } else { ("NOTIFICATIONS_EXCHANGE", "topic") };
        match &exchange.presence {
            Presence::AsWanted => finding.ok(format!("`{name}` exists: {kind}, durable")),
            // Most fleets have no notifications; the first program that uses them declares the exchange.
            Presence::Missing if !is_for_events => {}
            Presence::Missing => finding.problem(
                Status::Warning,
                format!("`{name}` does not exist: the first program that uses it declares it"),
                format!("if the fleet is already running, STAGING_NAME or {setting} differs from the other services"),
            ),
            Presence::Different(differences) => {
                let has_other_type = differences.iter().any(|it| it.what == "type");
                let (status, remedy) = if has_other_type {
                    let remedy =
                        format!("use another name ({setting}), or delete the exchange when no program uses it");
                    (Status::Failed, remedy)
                } else {
                    let wanted = differences.iter().map(|it| (it.what.as_str(), it.wanted.as_str()));
                    (Status::Warning, format!("it works as it is; its owner should declare it {}", declaration(wanted)))
                };
                finding.problem(status, format!("`{name}`: {}", listed(differences)), remedy);
            }
            Presence::Unknown(why) => {
                finding.problem(Status::Unknown, format!("`{name}`: {why}"), "look at `rabbitmqctl list_exchanges`");
            }
            _ => {}
        }
    }

    pub(crate) fn queues(&self) -> Finding {
        let Some(service) = self.service else { return Finding::skipped(Check::Queues, NO_SERVICE) };
        let events = names::events_queue(service);
        let mut finding = FindingBuilder::new(Check::Queues);
        for queue in &self.found.queues {
            self.check_queue(queue, &events, &mut finding);
        }
        let others =
            self.found.queues.iter().filter(|it| it.name != events && it.presence == Presence::AsWanted).count();
        if others > 0 {
            let others = u64::try_from(others).unwrap_or(u64::MAX);
            let verb = if others == 1 { "matches" } else { "match" };
            finding.ok(format!("{} for dead letters, retries, .. {verb} too", counted(others, "queue", "queues")));
        }
        finding.build()
    }

    fn check_queue(&self, queue: &InspectedQueue, events: &str, finding: &mut FindingBuilder) {
        let name = &queue.name;
        match &queue.presence {
            Presence::AsWanted if name == events => finding.ok(format!("`{name}` matches the settings")),
            Presence::Missing if name == events => finding.problem(
                Status::Warning,
                format!("`{name}` does not exist: the service misses all events until it first starts"),
                "start the service, or check SERVICE_NAME",
            ),
            Presence::Different(differences) => finding.problem(
                if name == events { Status::Failed } else { Status::Warning },
                format!("`{name}` differs from the settings, so declaring it fails (406): {}", listed(differences)),
                remedy(differences, name == events),
            ),
            Presence::Unknown(why) => finding.problem(
                Status::Unknown,
                format!("`{name}`: {why}"),
                "look at `rabbitmqctl list_queues name arguments`",
            ),
            _ => {}
        }
        let Some(info) = self.queue_infos.get(name) else { return };
        let keys = info.lossy_policy_keys();
        if !keys.is_empty() {
            let policy = info.policy.as_ref().map_or("an operator policy".to_owned(), |it| format!("policy `{it}`"));
            finding.problem(
                Status::Warning,
                format!("{policy} sets {} for `{name}`: messages can be lost", keys.join(", ")),
                "see `rabbitmqctl list_policies`; exclude the service's queues from the policy's pattern",
            );
        }
    }

    pub(crate) fn consumers(&self) -> Finding {
        const CHECK: Check = Check::Consumers;
        let Some(service) = self.service else { return Finding::skipped(CHECK, NO_SERVICE) };
        let queue = names::events_queue(service);
        let Some(events) = self.events_queue() else {
            return Finding::skipped(CHECK, format!("`{queue}` does not exist"));
        };
        match events.consumers {
            Some(0) => Finding::failed(
                CHECK,
                format!("`{queue}` has no consumer: events wait, and requests get no reply"),
                format!("start the service `{service}`, or find out why it stopped consuming"),
            ),
            Some(count) => Finding::ok(CHECK, format!("{} on `{queue}`", counted(count, "consumer", "consumers"))),
            None => Finding::unknown(
                CHECK,
                format!("`{queue}` is exclusive to another connection"),
                "look at `rabbitmqctl list_consumers`",
            ),
        }
    }

    pub(crate) fn backlog(&self) -> Finding {
        const CHECK: Check = Check::Backlog;
        let Some(service) = self.service else { return Finding::skipped(CHECK, NO_SERVICE) };
        let Some(events) = self.events_queue() else {
            return Finding::skipped(CHECK, format!("`{}` does not exist", names::events_queue(service)));
        };
        let mut finding = FindingBuilder::new(CHECK);
        let ready = events.ready.unwrap_or_default();
        let unacknowledged = self.queue_infos.get(&events.name).and_then(|info| info.messages_unacknowledged);
        let unacknowledged = unacknowledged.map_or_else(String::new, |count| format!(", {count} unacknowledged"));
        let waiting = format!("{} waiting{unacknowledged}", counted(ready, "event", "events"));
        if ready >= MANY {
            let remedy = match events.consumers {
                Some(0) => format!("there is no consumer: start the service `{service}`"),
                _ => "events arrive faster than they are handled: add workers (EVENTS_WORKERS) or processes".to_owned(),
            };
            finding.problem(Status::Warning, waiting, remedy);
        } else {
            finding.ok(waiting);
        }
        let ready_in = |name: &str| self.queue(name).and_then(|queue| queue.ready).unwrap_or_default();
        if self.has_notifications() {
            let waiting = ready_in(&names::notifications_queue(service));
            finding.ok(counted(waiting, "notification", "notifications"));
        }
        let retry_queues = format!("{}.retry.", events.name);
        let retries = self.found.queues.iter().filter(|queue| queue.name.starts_with(&retry_queues));
        finding.ok(counted(retries.filter_map(|queue| queue.ready).sum(), "retry", "retries"));
        match ready_in(&names::quarantine_queue(service)) {
            0 => {}
            count => finding.problem(
                Status::Warning,
                format!("{count} in quarantine"),
                "a process died while it handled these messages; the running service handles them one at a time",
            ),
        }
        match ready_in(&names::dead_letter_queue(service)) {
            0 => finding.ok("no dead letters"),
            count => finding.problem(
                Status::Warning,
                counted(count, "dead letter", "dead letters"),
                "`zc-events dead list` shows why; `zc-events dead replay` sends them to the service again",
            ),
        }
        finding.build()
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `x-max-priority is 5, expected 10`.
fn listed(differences: &[Difference]) -> String {
    let one = |it: &Difference| format!("{} is {}, expected {}", it.what, it.found, it.wanted);
    differences.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How an exchange should be declared.
fn declaration<'a>(wanted: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let one = |(what, wanted): (&str, &str)| match what {
        "durable" => "durable".to_owned(),
        // Such an exchange goes with its last queue; messages are lost until it is declared again.
        "auto_delete" => "without auto_delete".to_owned(),
        what => format!("with {what} {wanted}"),
    };
    wanted.map(one).collect::<Vec<_>>().join(", ")
}

fn remedy(differences: &[Difference], is_events: bool) -> String {
    const DELETE: &str = "delete the queue once it is empty, and the service declares it again";
    match differences {
        [only] if is_events && only.what == "x-max-priority" => {
            format!("set EVENTS_QUEUE_MAX_PRIORITY={}, or {DELETE}", only.found)
        }
        [only] if is_events && only.wanted == "none" => {
            format!(
                "another program declares it with {}; this service uses it as it is. To change it, {DELETE}",
                only.what
            )
        }
        _ if is_events => {
            format!("let all programs declare it alike (EVENTS_QUEUE_MAX_PRIORITY, Celery's task_queues), or {DELETE}")
        }
        _ => DELETE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_should_be_declared_as_wanted() {
        assert_eq!(declaration([("durable", "true")].into_iter()), "durable");
        assert_eq!(declaration([("auto_delete", "false")].into_iter()), "without auto_delete");
        assert_eq!(
            declaration([("durable", "true"), ("internal", "false")].into_iter()),
            "durable, with internal false"
        );
    }
}

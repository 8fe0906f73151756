//! How exchanges and queues are: as the settings would declare them, consumed, and how full. Nothing is asked from here.

use zc_events_protocol::names;
use zc_events_transport::{Difference, InspectedExchange, InspectedQueue, Presence};

use super::finding::{Check, Finding, Status};
use super::fleet::{Fleet, NO_SERVICE};
use crate::service::RUNGS;

/// So many events that wait are worth a look.
const MANY: u64 = 1000;

/// What several things showed, put together: the worst of their states.
struct Sum {
    check: Check,
    status: Status,
    seen: Vec<String>,
    remedies: Vec<String>,
}

impl Sum {
    fn new(check: Check) -> Self {
        Self { check, status: Status::Ok, seen: Vec::new(), remedies: Vec::new() }
    }

    fn see(&mut self, seen: impl Into<String>) {
        self.seen.push(seen.into());
    }

    fn mind(&mut self, status: Status, seen: impl Into<String>, remedy: impl Into<String>) {
        let rank = |status: Status| {
            [Status::Ok, Status::Unknown, Status::Warning, Status::Failed].iter().position(|it| *it == status)
        };
        if rank(status) > rank(self.status) {
            self.status = status;
        }
        // What is wrong comes first.
        let at = self.remedies.len().min(self.seen.len());
        self.seen.insert(at, seen.into());
        let remedy = remedy.into();
        if !self.remedies.contains(&remedy) {
            self.remedies.push(remedy);
        }
    }

    fn finding(self) -> Finding {
        let remedy = (!self.remedies.is_empty()).then(|| self.remedies.join("; "));
        Finding::new(self.check, self.status, self.seen.join("; "), remedy)
    }
}

impl Fleet<'_> {
    pub(super) fn exchanges(&self) -> Finding {
        let mut sum = Sum::new(Check::Exchanges);
        for exchange in &self.found.exchanges {
            self.judge_exchange(exchange, &mut sum);
        }
        sum.finding()
    }

    fn judge_exchange(&self, exchange: &InspectedExchange, sum: &mut Sum) {
        let name = &exchange.name;
        let is_for_events = *name == self.settings.events_exchange;
        let (setting, kind) =
            if is_for_events { ("EVENTS_EXCHANGE", "fanout") } else { ("NOTIFICATIONS_EXCHANGE", "topic") };
        match &exchange.presence {
            Presence::AsWanted => sum.see(format!("`{name}` is there: {kind}, durable")),
            // Most fleets have no notifications, and whoever needs the exchange declares it.
            Presence::Missing if !is_for_events => {}
            Presence::Missing => sum.mind(
                Status::Warning,
                format!("`{name}` is not there: whoever first emits or starts declares it"),
                format!("if the fleet runs already, STAGING_NAME or {setting} is not what the others have"),
            ),
            Presence::Different(differences) => {
                let is_type = differences.iter().any(|it| it.what == "type");
                let status = if is_type { Status::Failed } else { Status::Warning };
                let remedy = if is_type {
                    format!("use another name ({setting}), or delete it when nobody uses it")
                } else {
                    format!("it is used as it is; whoever made it so should declare it {}", ought(pairs(differences)))
                };
                sum.mind(status, format!("`{name}`: {}", listed(differences)), remedy);
            }
            Presence::Unknown(why) => {
                sum.mind(Status::Unknown, format!("`{name}`: {why}"), "look at `rabbitmqctl list_exchanges`");
            }
            _ => {}
        }
    }

    pub(super) fn queues(&self) -> Finding {
        let Some(service) = self.service else { return Finding::skipped(Check::Queues, NO_SERVICE) };
        let events = names::events_queue(service);
        let mut sum = Sum::new(Check::Queues);
        for queue in &self.found.queues {
            self.judge_queue(queue, &events, &mut sum);
        }
        let more = self.found.queues.iter().filter(|it| it.name != events && it.presence == Presence::AsWanted).count();
        if more > 0 {
            sum.see(format!("{more} more for dead letters, retries and the like"));
        }
        sum.finding()
    }

    fn judge_queue(&self, queue: &InspectedQueue, events: &str, sum: &mut Sum) {
        let name = &queue.name;
        match &queue.presence {
            Presence::AsWanted if name == events => sum.see(format!("`{name}` is as the settings would declare it")),
            Presence::Missing if name == events => sum.mind(
                Status::Warning,
                format!("`{name}` is not there: events go past the service until it first starts"),
                "start the service, or check SERVICE_NAME",
            ),
            Presence::Different(differences) => {
                let status = if name == events { Status::Failed } else { Status::Warning };
                let seen = format!(
                    "to declare `{name}` as the settings have it would be refused (406): {}",
                    listed(differences)
                );
                sum.mind(status, seen, remedy(differences, name == events));
            }
            Presence::Unknown(why) => {
                sum.mind(
                    Status::Unknown,
                    format!("`{name}`: {why}"),
                    "look at `rabbitmqctl list_queues name arguments`",
                );
            }
            _ => {}
        }
        let Some(info) = self.told.get(name) else { return };
        let losses = info.losses();
        if !losses.is_empty() {
            let policy = info.policy.as_deref().unwrap_or("an operator's");
            sum.mind(
                Status::Warning,
                format!("policy `{policy}` sets {} for `{name}`: messages can be lost", losses.join(", ")),
                "`rabbitmqctl list_policies`; take the service's queues out of its pattern",
            );
        }
    }

    pub(super) fn consumers(&self) -> Finding {
        const CHECK: Check = Check::Consumers;
        let Some(service) = self.service else { return Finding::skipped(CHECK, NO_SERVICE) };
        let queue = names::events_queue(service);
        let Some(events) = self.events() else {
            return Finding::skipped(CHECK, format!("`{queue}` is not there"));
        };
        match events.consumers {
            Some(0) => Finding::failed(
                CHECK,
                format!("nobody consumes `{queue}`: events wait, and requests are not answered"),
                format!("start the service `{service}`, or look why it has stopped consuming"),
            ),
            Some(count) => Finding::ok(CHECK, format!("{count} on `{queue}`")),
            None => Finding::unknown(
                CHECK,
                format!("`{queue}` is another connection's"),
                "look at `rabbitmqctl list_consumers`",
            ),
        }
    }

    pub(super) fn backlog(&self) -> Finding {
        const CHECK: Check = Check::Backlog;
        let Some(service) = self.service else { return Finding::skipped(CHECK, NO_SERVICE) };
        let Some(events) = self.events() else {
            return Finding::skipped(CHECK, format!("`{}` is not there", names::events_queue(service)));
        };
        let mut sum = Sum::new(CHECK);
        let ready = events.ready.unwrap_or_default();
        let out = match self.told.get(&events.name).and_then(|info| info.messages_unacknowledged) {
            Some(out) => format!(", {out} out with consumers"),
            None => String::new(),
        };
        let text = format!("{} waiting{out}", counted(ready, "event", "events"));
        if ready >= MANY {
            let remedy = match events.consumers {
                Some(0) => format!("nobody handles them: start the service `{service}`"),
                _ => "more comes than is handled: more workers (EVENTS_WORKERS), or more processes".to_owned(),
            };
            sum.mind(Status::Warning, text, remedy);
        } else {
            sum.see(text);
        }
        let waiting = |name: String| self.queue(&name).and_then(|queue| queue.ready).unwrap_or_default();
        let retries: u64 = RUNGS.iter().map(|delay| waiting(names::retry_queue(service, *delay))).sum();
        if self.has_notifications() {
            sum.see(counted(waiting(names::notifications_queue(service)), "notification", "notifications"));
        }
        sum.see(counted(retries, "retry", "retries"));
        match waiting(names::quarantine_queue(service)) {
            0 => {}
            suspects => sum.mind(
                Status::Warning,
                format!("{suspects} in quarantine"),
                "a process of the service has died over a message; those in quarantine are handled one by one once it runs",
            ),
        }
        match waiting(names::dead_letter_queue(service)) {
            0 => sum.see("no dead letters"),
            dead => sum.mind(
                Status::Warning,
                counted(dead, "dead letter", "dead letters"),
                "`zc-events dead list` says why, `zc-events dead replay` tries them again",
            ),
        }
        sum.finding()
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `x-max-priority is 5, and would be 10`.
fn listed(differences: &[Difference]) -> String {
    let one = |it: &Difference| format!("{} is {}, and would be {}", it.what, it.found, it.wanted);
    differences.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What differs, and what is wanted of it.
fn pairs(differences: &[Difference]) -> impl Iterator<Item = (&str, &str)> {
    differences.iter().map(|it| (it.what.as_str(), it.wanted.as_str()))
}

/// How an exchange ought to be declared that is not as it should be.
fn ought<'a>(differences: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let one = |(what, wanted): (&str, &str)| match what {
        "durable" => "durable".to_owned(),
        // It goes with its last queue, and what is published before somebody makes it again is lost.
        "auto_delete" => "without auto_delete".to_owned(),
        what => format!("with {what} {wanted}"),
    };
    differences.map(one).collect::<Vec<_>>().join(", ")
}

fn remedy(differences: &[Difference], is_events: bool) -> String {
    const DELETE: &str = "delete the queue once it is empty, and it is declared anew";
    match differences {
        [only] if is_events && only.what == "x-max-priority" => {
            format!("set EVENTS_QUEUE_MAX_PRIORITY={}, or {DELETE}", only.found)
        }
        [only] if is_events && only.wanted == "none" => format!(
            "somebody else declares it with {}; this service uses it as it is. To be rid of it, {DELETE}",
            only.what
        ),
        _ if is_events => {
            format!("make what declares it agree (EVENTS_QUEUE_MAX_PRIORITY, Celery's task_queues), or {DELETE}")
        }
        _ => DELETE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_declared_in_another_way_is_what_differs() {
        assert_eq!(ought([("durable", "true")].into_iter()), "durable");
        assert_eq!(ought([("auto_delete", "false")].into_iter()), "without auto_delete");
        assert_eq!(ought([("durable", "true"), ("internal", "false")].into_iter()), "durable, with internal false");
    }
}

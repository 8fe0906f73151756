//! What the broker has of a service, as far as it tells: asked once, and judged in parts. Permissions and bindings are
//! judged here, what is asked about queues and exchanges themselves in `queues`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{Deadline, names};
use zc_events_transport::{Broker, ExchangeKind, InspectedQueue, Inspection, Permission, Topology};

use super::finding::{Check, Finding};
use super::management::{Management, QueueInfo};
use crate::service::{RUNGS, topology};
use crate::{Error, Settings};

/// What was found out.
pub(super) struct Fleet<'a> {
    pub(super) settings: &'a Settings,
    pub(super) service: Option<&'a str>,
    pub(super) found: Inspection,
    /// What the management API tells of the queues that are there.
    pub(super) told: BTreeMap<String, QueueInfo>,
    wanted: Topology,
    vhost: String,
}

impl<'a> Fleet<'a> {
    /// Asks the broker.
    pub(super) fn ask(
        settings: &'a Settings,
        broker: &Arc<dyn Broker>,
        vhost: &str,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let service = settings.service_name();
        let wanted = match service {
            Some(service) => {
                let wanted = topology::of_events(settings, service);
                let wanted = topology::with_notifications(wanted, settings, service);
                let events = names::events_queue(service);
                RUNGS.iter().fold(wanted, |wanted, delay| {
                    wanted.retry_queue(names::retry_queue(service, *delay), *delay, &events)
                })
            }
            None => Topology::new()
                .exchange(settings.events_exchange(), ExchangeKind::Fanout)
                .exchange(settings.notifications_exchange(), ExchangeKind::Topic),
        };
        let found = broker.inspect(&wanted, deadline)?;
        Ok(Self { settings, service, found, told: BTreeMap::new(), wanted, vhost: vhost.to_owned() })
    }

    /// Asks the management API about the queues that are there.
    pub(super) fn ask_more(&mut self, management: &Management, left: impl Fn() -> Duration) -> Result<(), String> {
        for queue in self.found.queues.iter().filter(|queue| queue.presence.exists()) {
            if let Some(info) = management.queue(&queue.name, left())? {
                self.told.insert(queue.name.clone(), info);
            }
        }
        Ok(())
    }

    pub(super) fn queue(&self, name: &str) -> Option<&InspectedQueue> {
        self.found.queues.iter().find(|queue| queue.name == name && queue.presence.exists())
    }

    /// The queue of events, where it is there.
    pub(super) fn events(&self) -> Option<&InspectedQueue> {
        self.service.and_then(|service| self.queue(&names::events_queue(service)))
    }

    /// Whether the service listens to notifications, or has.
    pub(super) fn has_notifications(&self) -> bool {
        self.service.is_some_and(|service| self.queue(&names::notifications_queue(service)).is_some())
    }

    pub(super) fn permissions(&self, user: &str) -> Finding {
        let of_notifications = |name: &str| {
            name == self.settings.notifications_exchange
                || self.service.is_some_and(|service| name == names::notifications_queue(service))
        };
        let is_there = |name: &str| {
            let exchanges = self.found.exchanges.iter().map(|it| (&it.name, &it.presence));
            let queues = self.found.queues.iter().map(|it| (&it.name, &it.presence));
            exchanges.chain(queues).any(|(it, standing)| it == name && standing.exists())
        };
        let lacking: Vec<(Permission, String)> = self
            .found
            .missing_permissions
            .iter()
            .filter(|lack| self.has_notifications() || !of_notifications(&lack.on))
            // What is there is used as it is, and need not be declared.
            .filter(|lack| lack.permission != Permission::Configure || !is_there(&lack.on))
            .map(|lack| (lack.permission, format!("{} `{}`", lack.permission.as_str(), lack.on)))
            .collect();
        if lacking.is_empty() {
            let what =
                if self.service.is_some() { "declare, bind, publish and consume" } else { "declare and publish" };
            return Finding::ok(Check::Permissions, format!("may {what} all that is needed"));
        }
        let lacking = in_turns(lacking);
        log::info!("user `{user}` may not {}", lacking.join(", "));
        let seen = format!("user `{user}` may not {}", shortened(&lacking));
        let vhost = &self.vhost;
        let remedy = format!(
            "`rabbitmqctl set_permissions -p {vhost} {user} CONFIGURE WRITE READ`, with patterns that match these names (and `amq.default`, for dead letters)"
        );
        Finding::failed(Check::Permissions, seen, remedy)
    }

    pub(super) fn bindings(&self, management: Option<&Management>, left: impl Fn() -> Duration) -> Finding {
        const CHECK: Check = Check::Bindings;
        let Some(service) = self.service else { return Finding::skipped(CHECK, NO_SERVICE) };
        let queue = names::events_queue(service);
        if self.events().is_none() {
            return Finding::skipped(CHECK, format!("`{queue}` is not there"));
        }
        let exchange = self.settings.events_exchange();
        let unbound = |others: &str| {
            let seen = format!("`{queue}` is not bound to `{exchange}`{others}: no event reaches it");
            Finding::failed(
                CHECK,
                seen,
                "start the service, which binds it; are STAGING_NAME and EVENTS_EXCHANGE right?",
            )
        };
        // What the broker itself tells: one in memory does.
        let own = self.wanted.bindings.iter().position(|it| it.queue == queue && it.exchange == exchange);
        match own.and_then(|at| self.found.bindings.get(at).copied().flatten()) {
            Some(true) => return Finding::ok(CHECK, format!("`{queue}` is bound to `{exchange}`")),
            Some(false) => return unbound(""),
            None => {}
        }
        let Some(management) = management else {
            let remedy = "AMQP does not tell: set MANAGEMENT_URL, or look at `rabbitmqctl list_bindings`";
            return Finding::unknown(CHECK, format!("whether `{queue}` is bound to `{exchange}`"), remedy);
        };
        let asked =
            management.bindings(&queue, left()).and_then(|bound| Ok((bound, management.bound_to(exchange, left())?)));
        match asked {
            Err(why) => Finding::unknown(
                CHECK,
                format!("the management API does not tell: {why}"),
                "look at `rabbitmqctl list_bindings`",
            ),
            Ok((bound, all)) => {
                let mut others: Vec<&str> =
                    bound.iter().map(|it| it.source.as_str()).filter(|it| *it != exchange).collect();
                others.sort_unstable();
                others.dedup();
                let elsewhere =
                    if others.is_empty() { String::new() } else { format!(" (but to `{}`)", others.join("`, `")) };
                if !bound.iter().any(|it| it.source == exchange) {
                    return unbound(&elsewhere);
                }
                let more = match all.iter().filter(|it| it.destination != queue).count() {
                    0 => String::new(),
                    1 => ", and so is 1 more".to_owned(),
                    more => format!(", and so are {more} more"),
                };
                let elsewhere = elsewhere.replace("but", "and");
                Finding::ok(CHECK, format!("`{queue}` is bound to `{exchange}`{elsewhere}{more}"))
            }
        }
    }
}

/// So many of what lacks are named.
const NAMED: usize = 3;

/// In an order in which the first of each right come first, so that none is left out where not all are named.
fn in_turns(lacking: Vec<(Permission, String)>) -> Vec<String> {
    let mut counts: Vec<(Permission, usize)> = Vec::new();
    let mut turns: Vec<(usize, String)> = Vec::new();
    for (right, text) in lacking {
        let turn = match counts.iter_mut().find(|(it, _)| *it == right) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((right, 0));
                0
            }
        };
        turns.push((turn, text));
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, text)| text).collect()
}

/// The first of them, and how many more there are.
fn shortened(lacking: &[String]) -> String {
    let named = lacking.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match lacking.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

/// Said where a service's things are not looked at.
pub(super) const NO_SERVICE: &str = "SERVICE_NAME is not set";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_rights_that_lack_the_first_are_named() {
        let of = |right: Permission| move |number| (right, format!("{} `{number}`", right.as_str()));
        let lacking = in_turns((1..=9).map(of(Permission::Write)).chain((1..=9).map(of(Permission::Read))).collect());
        assert_eq!(shortened(&lacking), "write `1`, read `1`, write `2`, and 15 more");
        assert_eq!(shortened(&lacking[..3]), "write `1`, read `1`, write `2`");
    }
}

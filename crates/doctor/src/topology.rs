//! A service's exchanges, queues and bindings in the broker: inspected once, and checked in parts. This file checks permissions
//! and bindings; `queues` checks the exchanges and queues themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zc_events::{Error, Settings};
use zc_events_protocol::{Deadline, names};
use zc_events_transport::{Broker, InspectedQueue, Inspection, Permission, Topology};

use crate::check::Check;
use crate::finding::Finding;
use crate::management_api::{ManagementApi, QueueInfo};

/// Seen if there is no service to check.
pub(crate) const NO_SERVICE: &str = "SERVICE_NAME is not set";

/// How many missing permissions are listed.
const LISTED: usize = 3;

/// What a service has in the broker.
pub(crate) struct ServiceTopology<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) service: Option<&'a str>,
    /// What the broker reports.
    pub(crate) found: Inspection,
    /// What the management API reports about the queues that exist.
    pub(crate) queue_infos: BTreeMap<String, QueueInfo>,
    /// What the service declares.
    wanted: Topology,
    vhost: String,
}

impl<'a> ServiceTopology<'a> {
    /// Asks the broker.
    pub(crate) fn inspect(
        settings: &'a Settings,
        broker: &Arc<dyn Broker>,
        vhost: &str,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let service = settings.service_name();
        let mut wanted = settings.topology();
        if let Some(service) = service {
            // Few services retry notifications, and each queue costs the broker several questions.
            let retries = format!("{}.retry.", names::notifications_queue(service));
            wanted.queues.retain(|queue| !queue.name.starts_with(&retries));
        }
        let found = broker.inspect(&wanted, deadline)?;
        Ok(Self { settings, service, found, queue_infos: BTreeMap::new(), wanted, vhost: vhost.to_owned() })
    }

    /// Asks the management API about the queues that exist.
    pub(crate) fn ask_management(
        &mut self,
        management: &ManagementApi,
        left: impl Fn() -> Duration,
    ) -> Result<(), String> {
        for queue in self.found.queues.iter().filter(|queue| queue.presence.exists()) {
            if let Some(info) = management.queue(&queue.name, left())? {
                self.queue_infos.insert(queue.name.clone(), info);
            }
        }
        Ok(())
    }

    /// A queue, if it exists.
    pub(crate) fn queue(&self, name: &str) -> Option<&InspectedQueue> {
        self.found.queues.iter().find(|queue| queue.name == name && queue.presence.exists())
    }

    /// The queue for events, if it exists.
    pub(crate) fn events_queue(&self) -> Option<&InspectedQueue> {
        self.service.and_then(|service| self.queue(&names::events_queue(service)))
    }

    /// Whether the service handles notifications now, or did so before.
    pub(crate) fn has_notifications(&self) -> bool {
        self.service.is_some_and(|service| self.queue(&names::notifications_queue(service)).is_some())
    }

    pub(crate) fn permissions(&self, user: &str) -> Finding {
        let is_for_notifications = |name: &str| {
            name == self.settings.notifications_exchange()
                || self.service.is_some_and(|service| name == names::notifications_queue(service))
        };
        let exists = |name: &str| {
            let exchanges = self.found.exchanges.iter().map(|it| (&it.name, &it.presence));
            let queues = self.found.queues.iter().map(|it| (&it.name, &it.presence));
            exchanges.chain(queues).any(|(it, standing)| it == name && standing.exists())
        };
        let missing: Vec<(Permission, String)> = self
            .found
            .missing_permissions
            .iter()
            .filter(|lack| self.has_notifications() || !is_for_notifications(&lack.on))
            // What exists is used as it is, and need not be declared.
            .filter(|lack| lack.permission != Permission::Configure || !exists(&lack.on))
            .map(|lack| (lack.permission, format!("{} `{}`", lack.permission.as_str(), lack.on)))
            .collect();
        if missing.is_empty() {
            let needed = if self.service.is_some() { "declare, bind, publish, consume" } else { "declare, publish" };
            return Finding::ok(Check::Permissions, format!("has all required permissions ({needed})"));
        }
        let missing = in_turns(missing);
        log::info!("user `{user}` lacks permissions: {}", missing.join(", "));
        let seen = format!("user `{user}` lacks permissions: {}", shortened(&missing));
        let vhost = &self.vhost;
        let remedy = format!(
            "`rabbitmqctl set_permissions -p {vhost} {user} CONFIGURE WRITE READ` with patterns that match these names (and \
             `amq.default`, for dead letters)"
        );
        Finding::failed(Check::Permissions, seen, remedy)
    }

    pub(crate) fn bindings(&self, management: Option<&ManagementApi>, left: impl Fn() -> Duration) -> Finding {
        const CHECK: Check = Check::Bindings;
        const LIST: &str = "`rabbitmqctl list_bindings`";
        let Some(service) = self.service else { return Finding::skipped(CHECK, NO_SERVICE) };
        let queue = names::events_queue(service);
        if self.events_queue().is_none() {
            return Finding::skipped(CHECK, format!("`{queue}` does not exist"));
        }
        let exchange = self.settings.events_exchange();
        let unbound = |others: &str| {
            let seen = format!("`{queue}` is not bound to `{exchange}`{others}: it receives no events");
            let remedy = "start the service, which binds the queue; check STAGING_NAME and EVENTS_EXCHANGE";
            Finding::failed(CHECK, seen, remedy)
        };
        // An in-memory broker knows its bindings; AMQP cannot ask for them.
        let own = self.wanted.bindings.iter().position(|it| it.queue == queue && it.exchange == exchange);
        match own.and_then(|at| self.found.bindings.get(at).copied().flatten()) {
            Some(true) => return Finding::ok(CHECK, format!("`{queue}` is bound to `{exchange}`")),
            Some(false) => return unbound(""),
            None => {}
        }
        let Some(management) = management else {
            let seen = format!("AMQP cannot tell whether `{queue}` is bound to `{exchange}`");
            return Finding::unknown(CHECK, seen, format!("set MANAGEMENT_URL, or look at {LIST}"));
        };
        let asked = management
            .bindings_of_queue(&queue, left())
            .and_then(|bound| Ok((bound, management.bindings_to_exchange(exchange, left())?)));
        let (bound, all) = match asked {
            Ok(asked) => asked,
            Err(why) => {
                return Finding::unknown(CHECK, format!("the management API failed: {why}"), format!("look at {LIST}"));
            }
        };
        let mut others: Vec<&str> = bound.iter().map(|it| it.source.as_str()).filter(|it| *it != exchange).collect();
        others.sort_unstable();
        others.dedup();
        let others = others.join("`, `");
        if !bound.iter().any(|it| it.source == exchange) {
            return unbound(&if others.is_empty() { String::new() } else { format!(", but to `{others}`") });
        }
        let also = if others.is_empty() { String::new() } else { format!(" (and to `{others}`)") };
        let queues = match all.iter().filter(|it| it.destination != queue).count() {
            0 => String::new(),
            1 => ", like 1 other queue".to_owned(),
            count => format!(", like {count} other queues"),
        };
        Finding::ok(CHECK, format!("`{queue}` is bound to `{exchange}`{also}{queues}"))
    }
}

/// Sorts so that the first of each permission come first: a shortened list names all kinds.
fn in_turns(missing: Vec<(Permission, String)>) -> Vec<String> {
    let mut counts: Vec<(Permission, usize)> = Vec::new();
    let mut turns: Vec<(usize, String)> = Vec::new();
    for (right, text) in missing {
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

/// The first entries, and how many more there are.
fn shortened(missing: &[String]) -> String {
    let listed = missing.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match missing.len().saturating_sub(LISTED) {
        0 => listed,
        more => format!("{listed}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_list_names_each_kind_of_permission() {
        let of = |right: Permission| move |number| (right, format!("{} `{number}`", right.as_str()));
        let missing = in_turns((1..=9).map(of(Permission::Write)).chain((1..=9).map(of(Permission::Read))).collect());
        assert_eq!(shortened(&missing), "write `1`, read `1`, write `2`, and 15 more");
        assert_eq!(shortened(&missing[..3]), "write `1`, read `1`, write `2`");
    }
}

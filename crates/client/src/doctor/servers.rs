//! The way to the servers, step by step: names, TCP, TLS, login, virtual host. What is asked once one is in, is not here.

use std::fmt::Write as _;
use std::net::IpAddr;

use zc_events_cache::redis::{Hurdle as RedisHurdle, Reach as RedisReach};
use zc_events_protocol::Deadline;
use zc_events_transport::Error as BrokerError;
use zc_events_transport::amqp::{self, ConnectStep, NodeProbe};

use super::finding::{Check, Finding, Status};
use crate::settings::BrokerSetting;
use crate::{Result, Settings};

/// How far one gets. What is in memory, and what is not set, is not there.
pub(super) struct Ways {
    pub(super) nodes: Option<Vec<NodeProbe>>,
    pub(super) redis: Option<RedisReach>,
    /// The setting that names the broker.
    setting: &'static str,
}

/// Tries both servers, each until its deadline.
pub(super) fn reach(settings: &Settings, limit: impl Fn() -> Deadline) -> Result<Ways> {
    let nodes = settings.amqp_options().map(|options| amqp::probe(&options, limit())).transpose()?;
    let redis = settings.redis_options()?.map(|options| zc_events_cache::redis::reach(&options, limit()));
    let setting = match &settings.broker {
        BrokerSetting::Amqp { setting, .. } => setting,
        BrokerSetting::Memory { .. } => "BROKER_URL",
    };
    Ok(Ways { nodes, redis, setting })
}

/// What one server showed of a step.
struct Sight {
    text: String,
    remedy: Option<String>,
}

impl Ways {
    /// Whether the broker lets the program in, or is in memory.
    pub(super) fn is_in(&self) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.iter().any(|node| node.probe.failure.is_none()))
    }

    /// Why the broker does not let the program in: the check that failed.
    pub(super) fn stopped_at(&self) -> Check {
        let furthest = self.nodes.iter().flatten().filter_map(|node| node.probe.failure.as_ref()).map(|it| it.step).max();
        match furthest {
            Some(ConnectStep::Resolve) => Check::Dns,
            Some(ConnectStep::Connect) => Check::Tcp,
            Some(ConnectStep::Tls) => Check::Tls,
            Some(ConnectStep::Namespace) => Check::Vhost,
            _ => Check::Login,
        }
    }

    /// The virtual host; `/` where the broker is in memory.
    pub(super) fn vhost(&self) -> &str {
        self.nodes.iter().flatten().next().map_or("/", |node| &node.vhost)
    }

    pub(super) fn dns(&self) -> Finding {
        let is = |place: &str, found: &[IpAddr]| match found {
            // An address in the URL is not looked up.
            [only] if place.contains(&only.to_string()) => place.to_owned(),
            _ => format!("{place} is {}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Resolve, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Resolve => Sight {
                text: format!("{} leads nowhere ({})", node.probe.address, it.reason),
                remedy: Some(format!("check the host in {setting}, and this machine's name servers")),
            },
            _ => Sight { text: is(&node.probe.address, &node.probe.trace.addresses), remedy: None },
        });
        let redis = self.redis_step(RedisHurdle::Name, |redis| match &redis.obstacle {
            Some(it) if it.at == RedisHurdle::Name => Sight {
                text: format!("{} leads nowhere ({})", redis.place, it.said),
                remedy: Some("check the host in EVENTS_REDIS_URL, and this machine's name servers".to_owned()),
            },
            _ => Sight { text: is(&redis.place, &redis.addresses), remedy: None },
        });
        self.finding(Check::Dns, nodes, redis)
    }

    pub(super) fn tcp(&self) -> Finding {
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Connect, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Connect => Sight {
                text: format!("no connection to {} ({})", node.probe.address, it.reason),
                remedy: Some(format!(
                    "is RabbitMQ running there, are host and port in {setting} right, and is no firewall in between?"
                )),
            },
            _ => Sight { text: connected(&node.probe.address, node.probe.trace.connected_in), remedy: None },
        });
        let redis = self.redis_step(RedisHurdle::Connect, |redis| match &redis.obstacle {
            Some(it) if it.at == RedisHurdle::Connect => Sight {
                text: format!("no connection to {} ({})", redis.place, it.said),
                remedy: Some(
                    "is Redis running there, are host and port in EVENTS_REDIS_URL right, and is no firewall in between?"
                        .to_owned(),
                ),
            },
            _ => Sight { text: connected(&redis.place, redis.connected_in), remedy: None },
        });
        self.finding(Check::Tcp, nodes, redis)
    }

    pub(super) fn tls(&self) -> Finding {
        let (nodes, redis) = (self.nodes.iter().flatten(), self.redis.iter());
        let asked: Vec<bool> = nodes.map(|node| node.probe.tls).chain(redis.map(|redis| redis.tls)).collect();
        if asked.is_empty() {
            return Finding::skipped(Check::Tls, IN_MEMORY);
        }
        if !asked.contains(&true) {
            return Finding::ok(Check::Tls, "not asked for: what is sent can be read on its way");
        }
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Tls, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Tls => {
                not_secured(&node.probe.address, &it.reason, &format!("cacertfile=PATH in {setting}"), 5671)
            }
            _ => secured(&node.probe.address, node.probe.trace.tls_version),
        });
        let redis = self.redis_step(RedisHurdle::Tls, |redis| match &redis.obstacle {
            Some(it) if it.at == RedisHurdle::Tls => {
                not_secured(&redis.place, &it.said, "ssl_ca_certs=PATH in EVENTS_REDIS_URL", 6379)
            }
            _ => secured(&format!("Redis at {}", redis.place), redis.agreed),
        });
        let found = self.finding(Check::Tls, nodes, redis);
        if found.status == Status::Ok && asked.contains(&false) {
            let remedy = format!("amqps:// in {setting}, rediss:// in EVENTS_REDIS_URL: passwords go both ways");
            return Finding::new(Check::Tls, Status::Warning, found.seen, Some(remedy));
        }
        found
    }

    pub(super) fn login(&self) -> Finding {
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Login, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Login && matches!(it.error, BrokerError::Rejected { .. }) => Sight {
                text: format!("{} refuses the user `{}` or the password", node.probe.address, node.user),
                remedy: Some(format!(
                    "check both in {setting}, and that the user may log in from here (`guest` may only on the broker's own machine)"
                )),
            },
            Some(it) if it.step == ConnectStep::Login => Sight {
                text: format!("{} does not answer as a broker ({})", node.probe.address, it.reason),
                remedy: Some(format!("is it RabbitMQ's AMQP port that {setting} leads to? 5672 unless changed")),
            },
            _ => Sight { text: as_user(&node.probe.address, &node.user, node.server.as_deref()), remedy: None },
        });
        self.finding(Check::Login, nodes, None)
    }

    pub(super) fn vhost_finding(&self) -> Finding {
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Namespace, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Namespace => {
                let vhost = &node.vhost;
                let remedy = if it.reason.contains("not found") {
                    format!("check the part behind the port in {setting}, or `rabbitmqctl add_vhost {vhost}`")
                } else {
                    format!(
                        "`rabbitmqctl set_permissions -p {vhost} {} '.*' '.*' '.*'`, or check the part behind the port in {setting}",
                        node.user
                    )
                };
                Sight { text: format!("{}: {}", node.probe.address, it.reason), remedy: Some(remedy) }
            }
            _ => Sight { text: format!("`{}` at {}", node.vhost, node.probe.address), remedy: None },
        });
        self.finding(Check::Vhost, nodes, None)
    }

    /// What the nodes showed of a step that they have come to.
    fn step(&self, step: ConnectStep, sight: impl Fn(&NodeProbe) -> Sight) -> Option<Vec<Sight>> {
        let nodes = self.nodes.as_ref()?;
        let came = |node: &&NodeProbe| node.probe.has_reached(step);
        Some(nodes.iter().filter(came).map(sight).collect())
    }

    fn redis_step(&self, hurdle: RedisHurdle, sight: impl Fn(&RedisReach) -> Sight) -> Option<Sight> {
        let redis = self.redis.as_ref()?;
        redis.obstacle.as_ref().is_none_or(|it| it.at >= hurdle).then(|| sight(redis))
    }

    /// One of several nodes that fails is a warning: the next is tried.
    fn finding(&self, check: Check, nodes: Option<Vec<Sight>>, redis: Option<Sight>) -> Finding {
        let none_came = nodes.as_ref().is_some_and(Vec::is_empty);
        let nodes = nodes.unwrap_or_default();
        let one_passes = nodes.iter().any(|sight| sight.remedy.is_none());
        if nodes.is_empty() && redis.is_none() {
            let why = if none_came { format!("{} failed", self.stopped_at()) } else { IN_MEMORY.to_owned() };
            return Finding::skipped(check, why);
        }
        let (mut status, mut seen, mut remedies) = (Status::Ok, String::new(), Vec::new());
        let redis_failed = redis.as_ref().is_some_and(|sight| sight.remedy.is_some());
        for Sight { text, remedy } in nodes.into_iter().chain(redis) {
            let _ = write!(seen, "{}{text}", if seen.is_empty() { "" } else { "; " });
            if let Some(remedy) = remedy {
                status = Status::Failed;
                if !remedies.contains(&remedy) {
                    remedies.push(remedy);
                }
            }
        }
        if status == Status::Failed && one_passes && !redis_failed {
            status = Status::Warning;
        }
        Finding::new(check, status, seen, (!remedies.is_empty()).then(|| remedies.join("; ")))
    }
}

/// Said where there is nothing to look at.
pub(super) const IN_MEMORY: &str = "in memory, in this process";

fn connected(place: &str, within: Option<std::time::Duration>) -> String {
    let within = within.map(|it| format!(" in {}", super::round_trip::millis(it))).unwrap_or_default();
    format!("connected to {place}{within}")
}

fn as_user(node: &str, user: &str, server: Option<&str>) -> String {
    match server {
        Some(server) => format!("`{user}` at {node}, {server}"),
        None => format!("`{user}` at {node}"),
    }
}

fn secured(place: &str, agreed: Option<&str>) -> Sight {
    let text = match agreed {
        Some(version) => format!("{version} with {place}"),
        None => format!("none with {place}"),
    };
    Sight { text, remedy: None }
}

fn not_secured(place: &str, said: &str, parameter: &str, port: u16) -> Sight {
    let remedy = if cfg!(feature = "tls") {
        format!("{parameter} names who vouches for the server; is its port that of TLS ({port} unless changed)?")
    } else {
        "build with the feature `tls` of zc-events".to_owned()
    };
    Sight { text: format!("no TLS with {place} ({said})"), remedy: Some(remedy) }
}

//! The way to both servers, step by step: DNS, TCP, TLS, login, virtual host.

use zc_events::{Result, Settings};
use zc_events_cache::redis::RedisProbe;
use zc_events_protocol::Deadline;
use zc_events_transport::Error as BrokerError;
use zc_events_transport::amqp::{self, ConnectStep, NodeProbe, Probe};

use crate::check::Check;
use crate::duration::millis;
use crate::finding::{Finding, FindingBuilder, Status};

/// Seen where there is no server.
pub(crate) const IN_MEMORY: &str = "in memory, in this process";

/// How far connections to the servers get.
pub(crate) struct Connectivity {
    /// The nodes of RabbitMQ; `None` if the broker is in memory.
    pub(crate) nodes: Option<Vec<NodeProbe>>,
    /// Redis; `None` if the store is in memory or not set.
    pub(crate) redis: Option<RedisProbe>,
    /// The setting that names the broker.
    setting: &'static str,
}

/// What one server showed at a step. A step with a remedy failed.
struct StepResult {
    seen: String,
    remedy: Option<String>,
}

impl StepResult {
    fn ok(seen: String) -> Self {
        Self { seen, remedy: None }
    }

    fn failed(seen: String, remedy: String) -> Self {
        Self { seen, remedy: Some(remedy) }
    }
}

impl Connectivity {
    /// Connects to both servers, each within `limit`.
    pub(crate) fn probe(settings: &Settings, limit: impl Fn() -> Deadline) -> Result<Self> {
        let nodes = settings.amqp_options().map(|options| amqp::probe(&options, limit())).transpose()?;
        let redis = settings.redis_options()?.map(|options| zc_events_cache::redis::probe(&options, limit()));
        Ok(Self { nodes, redis, setting: settings.broker_setting() })
    }

    /// Whether the broker accepts connections, or is in memory.
    pub(crate) fn has_broker(&self) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.iter().any(|node| node.probe.failure.is_none()))
    }

    /// The check that failed for the node that got furthest.
    pub(crate) fn failed_check(&self) -> Check {
        let furthest =
            self.nodes.iter().flatten().filter_map(|node| node.probe.failure.as_ref()).map(|it| it.step).max();
        match furthest {
            Some(ConnectStep::Resolve) => Check::Dns,
            Some(ConnectStep::Connect) => Check::Tcp,
            Some(ConnectStep::Tls) => Check::Tls,
            Some(ConnectStep::Namespace) => Check::Vhost,
            _ => Check::Login,
        }
    }

    /// The virtual host; `/` if the broker is in memory.
    pub(crate) fn vhost(&self) -> &str {
        self.nodes.iter().flatten().next().map_or("/", |node| &node.vhost)
    }

    /// The user of the first node that accepts connections.
    pub(crate) fn user(&self) -> &str {
        self.nodes.iter().flatten().find(|node| node.probe.failure.is_none()).map_or("", |node| &node.user)
    }

    pub(crate) fn dns(&self) -> Finding {
        let nodes = self.step(ConnectStep::Resolve, |node| dns_result(&node.probe, self.setting));
        let redis = self.redis_step(ConnectStep::Resolve, |redis| dns_result(redis, "EVENTS_REDIS_URL"));
        self.finding(Check::Dns, nodes, redis)
    }

    pub(crate) fn tcp(&self) -> Finding {
        let nodes = self.step(ConnectStep::Connect, |node| tcp_result(&node.probe, "RabbitMQ", self.setting));
        let redis = self.redis_step(ConnectStep::Connect, |redis| tcp_result(redis, "Redis", "EVENTS_REDIS_URL"));
        self.finding(Check::Tcp, nodes, redis)
    }

    pub(crate) fn tls(&self) -> Finding {
        let (nodes, redis) = (self.nodes.iter().flatten(), self.redis.iter());
        let used: Vec<bool> = nodes.map(|node| node.probe.tls).chain(redis.map(|redis| redis.tls)).collect();
        if used.is_empty() {
            return Finding::skipped(Check::Tls, IN_MEMORY);
        }
        if !used.contains(&true) {
            return Finding::ok(Check::Tls, "not used: passwords and messages are sent in plain text");
        }
        let setting = self.setting;
        let parameter = format!("`cacertfile` in {setting}");
        let nodes = self.step(ConnectStep::Tls, |node| tls_result(&node.probe, &node.probe.address, &parameter, 5671));
        let redis = self.redis_step(ConnectStep::Tls, |redis| {
            tls_result(redis, &format!("Redis at {}", redis.address), "`ssl_ca_certs` in EVENTS_REDIS_URL", 6379)
        });
        let found = self.finding(Check::Tls, nodes, redis);
        if found.status == Status::Ok && used.contains(&false) {
            let remedy = format!(
                "use amqps:// in {setting} and rediss:// in EVENTS_REDIS_URL: both connections carry passwords"
            );
            return Finding::new(Check::Tls, Status::Warning, found.seen, Some(remedy));
        }
        found
    }

    pub(crate) fn login(&self) -> Finding {
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Login, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Login && matches!(it.error, BrokerError::Rejected { .. }) => StepResult::failed(
                format!("{} rejects the user `{}` or its password", node.probe.address, node.user),
                format!(
                    "check user and password in {setting}, and that the user may log in from this machine (by default `guest` \
                     may do so only on the broker's machine)"
                ),
            ),
            Some(it) if it.step == ConnectStep::Login => StepResult::failed(
                format!("{} does not complete the AMQP handshake ({})", node.probe.address, it.reason),
                format!("check that {setting} names RabbitMQ's AMQP port (5672 by default)"),
            ),
            _ => StepResult::ok(logged_in(&node.probe.address, &node.user, node.server.as_deref())),
        });
        self.finding(Check::Login, nodes, None)
    }

    pub(crate) fn virtual_host(&self) -> Finding {
        let setting = self.setting;
        let nodes = self.step(ConnectStep::Namespace, |node| match &node.probe.failure {
            Some(it) if it.step == ConnectStep::Namespace => {
                let vhost = &node.vhost;
                let command = if it.reason.contains("not found") {
                    format!("create it with `rabbitmqctl add_vhost {vhost}`")
                } else {
                    format!("grant access with `rabbitmqctl set_permissions -p {vhost} {} '.*' '.*' '.*'`", node.user)
                };
                StepResult::failed(
                    format!("{}: {}", node.probe.address, it.reason),
                    format!("check the virtual host (the path) in {setting}, or {command}"),
                )
            }
            _ => StepResult::ok(format!("`{}` at {}", node.vhost, node.probe.address)),
        });
        self.finding(Check::Vhost, nodes, None)
    }

    /// The results of the nodes that got to a step.
    fn step(&self, step: ConnectStep, result: impl Fn(&NodeProbe) -> StepResult) -> Option<Vec<StepResult>> {
        let nodes = self.nodes.as_ref()?;
        let got_there = |node: &&NodeProbe| node.probe.has_reached(step);
        Some(nodes.iter().filter(got_there).map(result).collect())
    }

    fn redis_step(&self, step: ConnectStep, result: impl Fn(&RedisProbe) -> StepResult) -> Option<StepResult> {
        let redis = self.redis.as_ref()?;
        redis.has_reached(step).then(|| result(redis))
    }

    /// One finding of all results. If one of several nodes fails, that is a warning: clients use the next node.
    fn finding(&self, check: Check, nodes: Option<Vec<StepResult>>, redis: Option<StepResult>) -> Finding {
        let no_node_got_there = nodes.as_ref().is_some_and(Vec::is_empty);
        let nodes = nodes.unwrap_or_default();
        if nodes.is_empty() && redis.is_none() {
            let why = if no_node_got_there { format!("{} failed", self.failed_check()) } else { IN_MEMORY.to_owned() };
            return Finding::skipped(check, why);
        }
        let a_node_passes = nodes.iter().any(|result| result.remedy.is_none());
        let redis_failed = redis.as_ref().is_some_and(|result| result.remedy.is_some());
        let severity = if a_node_passes && !redis_failed { Status::Warning } else { Status::Failed };
        let mut finding = FindingBuilder::new(check);
        for StepResult { seen, remedy } in nodes.into_iter().chain(redis) {
            match remedy {
                None => finding.ok(seen),
                Some(remedy) => finding.problem(severity, seen, remedy),
            }
        }
        finding.build()
    }
}

/// Why a connection failed at this step; `None` if it passed the step.
fn failed_at<E>(probe: &Probe<E>, step: ConnectStep) -> Option<&str> {
    probe.failure.as_ref().filter(|failure| failure.step == step).map(|failure| failure.reason.as_str())
}

fn dns_result<E>(probe: &Probe<E>, setting: &str) -> StepResult {
    let address = &probe.address;
    if let Some(why) = failed_at(probe, ConnectStep::Resolve) {
        return StepResult::failed(
            format!("{address} cannot be resolved ({why})"),
            format!("check the host in {setting} and this machine's DNS configuration"),
        );
    }
    StepResult::ok(match probe.trace.addresses.as_slice() {
        // The URL has an address.
        [only] if address.contains(&only.to_string()) => address.clone(),
        addresses => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{address} resolves to {}", addresses.join(", "))
        }
    })
}

fn tcp_result<E>(probe: &Probe<E>, server: &str, setting: &str) -> StepResult {
    let address = &probe.address;
    if let Some(why) = failed_at(probe, ConnectStep::Connect) {
        return StepResult::failed(
            format!("cannot connect to {address} ({why})"),
            format!(
                "check that {server} runs there, that host and port in {setting} are right, and that no firewall blocks it"
            ),
        );
    }
    let duration = probe.trace.connected_in.map(|it| format!(" in {}", millis(it))).unwrap_or_default();
    StepResult::ok(format!("connected to {address}{duration}"))
}

/// `server` names the server; `parameter` is the one with the CA certificate.
fn tls_result<E>(probe: &Probe<E>, server: &str, parameter: &str, port: u16) -> StepResult {
    if let Some(why) = failed_at(probe, ConnectStep::Tls) {
        let remedy = if cfg!(feature = "tls") {
            format!("set {parameter} to the CA certificate; check that the port accepts TLS ({port} by default)")
        } else {
            "build with the feature `tls` of zc-events-doctor".to_owned()
        };
        return StepResult::failed(format!("no TLS with {server} ({why})"), remedy);
    }
    StepResult::ok(match probe.trace.tls_version {
        Some(version) => format!("{version} with {server}"),
        None => format!("plain text with {server}"),
    })
}

fn logged_in(node: &str, user: &str, server: Option<&str>) -> String {
    match server {
        Some(server) => format!("`{user}` at {node}, {server}"),
        None => format!("`{user}` at {node}"),
    }
}

//! The checks, in the order in which they run.

use std::fmt;

use serde::Serialize;

/// A check; they run in this order. `Display` and JSON use the names of [`Check::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// Which settings are set, by what, and whether they are valid.
    Settings,
    /// Whether the host names of RabbitMQ and Redis can be resolved.
    Dns,
    /// Whether both servers accept TCP connections.
    Tcp,
    /// Whether TLS is used, and which version was negotiated.
    Tls,
    /// Whether RabbitMQ accepts the user and the password.
    Login,
    /// Whether the virtual host exists and the user may access it.
    Vhost,
    /// Whether the user has the permissions that a service needs: declare, bind, publish, consume.
    Permissions,
    /// Whether the exchanges exist, have the right type, and are durable.
    Exchanges,
    /// Whether the service's queues exist and match the settings.
    Queues,
    /// Whether RabbitMQ's management API responds, if `MANAGEMENT_URL` is set.
    Management,
    /// Whether the service's queue is bound to the exchange for events.
    Bindings,
    /// Whether the service's queue has a consumer.
    Consumers,
    /// How many messages wait: events, retries, messages in quarantine, dead letters.
    Backlog,
    /// Whether Redis accepts the login and stores replies.
    Redis,
    /// Whether Redis may evict replies.
    Eviction,
    /// How long a message takes through the broker and a reply through Redis.
    RoundTrip,
    /// How much this machine's clock differs from a server's.
    Clock,
}

impl Check {
    /// All checks, in order.
    pub const ALL: [Check; 17] = [
        Check::Settings,
        Check::Dns,
        Check::Tcp,
        Check::Tls,
        Check::Login,
        Check::Vhost,
        Check::Permissions,
        Check::Exchanges,
        Check::Queues,
        Check::Management,
        Check::Bindings,
        Check::Consumers,
        Check::Backlog,
        Check::Redis,
        Check::Eviction,
        Check::RoundTrip,
        Check::Clock,
    ];

    /// The name, which is stable: `settings`, `dns`, `round-trip`, ..
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Check::Settings => "settings",
            Check::Dns => "dns",
            Check::Tcp => "tcp",
            Check::Tls => "tls",
            Check::Login => "login",
            Check::Vhost => "vhost",
            Check::Permissions => "permissions",
            Check::Exchanges => "exchanges",
            Check::Queues => "queues",
            Check::Management => "management",
            Check::Bindings => "bindings",
            Check::Consumers => "consumers",
            Check::Backlog => "backlog",
            Check::Redis => "redis",
            Check::Eviction => "eviction",
            Check::RoundTrip => "round-trip",
            Check::Clock => "clock",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Check {
    type Err = String;

    /// Parses the names of [`Check::as_str`].
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|check| check.as_str() == text);
        found.ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_name_that_can_be_parsed() {
        assert!(Check::ALL.is_sorted());
        for check in Check::ALL {
            assert_eq!(check.as_str().parse(), Ok(check));
            assert_eq!(serde_json::to_value(check).unwrap(), check.as_str());
        }
        assert!("dsn".parse::<Check>().unwrap_err().contains("dns, tcp"));
    }
}

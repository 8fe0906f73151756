//! What an examination says: checks, findings, the report. How they are come by is in the files beside this one.

use std::fmt;

use serde::Serialize;

/// What is looked at, in the order in which it is looked at. Written, and in JSON, by the names in [`Check::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// Which settings there are, from where, and whether they make sense.
    Settings,
    /// Whether the host names of the broker and of Redis lead somewhere.
    Dns,
    /// Whether something listens there.
    Tcp,
    /// Whether TLS is asked for, and what was agreed on.
    Tls,
    /// Whether the broker takes user and password.
    Login,
    /// Whether the broker has the virtual host and lets the user in.
    Vhost,
    /// Whether the user may declare, bind, publish and consume what a service does.
    Permissions,
    /// Whether the exchanges are there, of the right type, and durable.
    Exchanges,
    /// Whether the service's queues are there, and as the settings would declare them.
    Queues,
    /// Whether RabbitMQ's management API answers, where `MANAGEMENT_URL` is set.
    Management,
    /// Whether the service's queue gets the fleet's events.
    Bindings,
    /// Whether somebody consumes the service's queue.
    Consumers,
    /// How much waits: events, retries, suspects, dead letters.
    Backlog,
    /// Whether Redis takes the login, and answers can be pushed there.
    Redis,
    /// Whether Redis may throw answers away.
    Eviction,
    /// How long a message takes through the broker, and an answer through Redis.
    RoundTrip,
    /// How far this machine's clock and the servers' are apart.
    Clock,
}

impl Check {
    /// All of them, in their order.
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

    /// Its name, which stays the same: `settings`, `dns`, `round-trip`, ..
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

    /// Reads what [`Check::as_str`] writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|check| check.as_str() == text);
        found.ok_or_else(|| format!("use one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and something is to be looked at.
    Warning,
    /// It does not work.
    Failed,
    /// It cannot be told.
    Unknown,
    /// It was not looked at: what it takes is missing.
    Skipped,
}

impl Status {
    /// Its name, as in JSON: `ok`, `warning`, `failed`, `unknown`, `skipped`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "failed",
            Status::Unknown => "unknown",
            Status::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one check has found. No secret stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it is.
    pub status: Status,
    /// What was seen, on one line.
    pub seen: String,
    /// What to do about it, on one line; `None` where nothing is to be done.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: Check, seen: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, seen, None)
    }

    pub(super) fn warning(check: Check, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Status::Warning, seen, Some(remedy.into()))
    }

    pub(super) fn failed(check: Check, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Status::Failed, seen, Some(remedy.into()))
    }

    pub(super) fn unknown(check: Check, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Status::Unknown, seen, Some(remedy.into()))
    }

    pub(super) fn skipped(check: Check, why: impl Into<String>) -> Self {
        Self::new(check, Status::Skipped, why, None)
    }

    /// Peers write some of the texts: no line end and no control character is left in them.
    pub(super) fn new(check: Check, status: Status, seen: impl Into<String>, remedy: Option<String>) -> Self {
        let one_line = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { check, status, seen: one_line(seen.into()), remedy: remedy.map(one_line) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.status, self.seen)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// All findings of an examination, in the order of [`Check`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Report(pub(super) Vec<Finding>);

impl Report {
    /// The findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// What was found by this check; `None` where it was left out.
    #[must_use]
    pub fn finding(&self, check: Check) -> Option<&Finding> {
        self.0.iter().find(|finding| finding.check == check)
    }

    /// Whether nothing failed. Warnings, and what is unknown or was skipped, are no failure.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.0.iter().all(|finding| finding.status != Status::Failed)
    }
}

impl fmt::Display for Report {
    /// A line for each finding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_checks_have_their_place_and_a_name_that_can_be_read() {
        assert!(Check::ALL.is_sorted());
        for check in Check::ALL {
            assert_eq!(check.as_str().parse(), Ok(check));
            assert_eq!(serde_json::to_value(check).unwrap(), check.as_str());
        }
        assert!("dsn".parse::<Check>().unwrap_err().contains("dns, tcp"));
    }

    #[test]
    fn a_finding_is_one_line_for_people_and_an_object_for_programs() {
        let failed = Finding::failed(Check::Login, "user `u`\nis \u{1b}[31mrefused", "check the password");
        assert_eq!(failed.to_string(), "login: failed: user `u` is  [31mrefused; check the password");
        let report = Report(vec![Finding::ok(Check::Dns, "all"), failed]);
        assert!(!report.is_healthy() && report.finding(Check::Tcp).is_none());
        assert_eq!(
            serde_json::to_value(&report).unwrap()[0],
            serde_json::json!({"check": "dns", "status": "ok", "seen": "all", "remedy": null})
        );
        let report = Report(vec![Finding::skipped(Check::Dns, "x"), Finding::unknown(Check::Tcp, "y", "z")]);
        assert!(report.is_healthy() && report.to_string().ends_with("tcp: unknown: y; z\n"));
    }
}

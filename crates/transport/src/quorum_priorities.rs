//! How quorum queues treat the priority of messages, which depends on the server's version.

/// How quorum queues treat the priority of messages.
///
/// ```
/// use zc_events_transport::QuorumPriorities;
///
/// assert_eq!(QuorumPriorities::of_server("RabbitMQ 3.10.8"), Some(QuorumPriorities::Ignored));
/// assert_eq!(QuorumPriorities::of_server("RabbitMQ 4.0.5"), Some(QuorumPriorities::TwoLevels));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuorumPriorities {
    /// Messages keep their order, as in RabbitMQ 3.x.
    #[default]
    Ignored,
    /// Messages with a priority above 4 come before the others, as in RabbitMQ 4.x. If both kinds are ready, two of
    /// high priority are delivered for each other one.
    TwoLevels,
}

impl QuorumPriorities {
    /// The highest priority that [`QuorumPriorities::TwoLevels`] treats as normal.
    pub const HIGHEST_NORMAL: u8 = 4;

    /// The behaviour of a server that reports itself as `RabbitMQ 3.10.8`, say. `None` if it is another product, or
    /// names no version.
    #[must_use]
    pub fn of_server(server: &str) -> Option<Self> {
        let version = server.strip_prefix("RabbitMQ ")?;
        let major: u32 = version.split('.').next()?.parse().ok()?;
        Some(if major < 4 { Self::Ignored } else { Self::TwoLevels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_server_has_no_known_behaviour() {
        for server in ["", "RabbitMQ", "RabbitMQ x.1", "LavinMQ 2.0"] {
            assert_eq!(QuorumPriorities::of_server(server), None, "{server}");
        }
    }
}

//! How far one gets towards a broker, step by step, for diagnosis. The steps are those of
//! every connection, in `approach`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use amiquip::{AmqpValue, Connection};
use zc_events_protocol::{Deadline, Outcome};

use super::approach::{Opened, Steps, approach};
use super::options::AmqpOptions;
use super::url::Node;
use super::watchdog::Watchdog;
use crate::{Error, Result};

/// How long a connection that is not needed any more may take to close.
const GOODBYE: Duration = Duration::from_secs(1);

/// A step towards an open connection, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hurdle {
    /// Looking up the host's name.
    Name,
    /// The TCP connection.
    Connect,
    /// TLS, where the URL asks for it.
    Tls,
    /// The handshake, and the login with user and password.
    Login,
    /// The virtual host.
    VirtualHost,
}

/// Where it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Obstacle {
    /// At which step.
    pub at: Hurdle,
    /// Why, in the words of the system or the broker, without advice.
    pub said: String,
    /// The error that a caller would get.
    pub error: Error,
}

/// How far one gets towards one node.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reach {
    /// Host and port.
    pub node: String,
    /// The user, without the password.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// What the host's name means, where that was found out.
    pub addresses: Vec<IpAddr>,
    /// How long connecting took, where it succeeded.
    pub connected_in: Option<Duration>,
    /// What the broker calls itself, such as `RabbitMQ 3.10.8`; `None` where one did not get in.
    pub server: Option<String>,
    /// Whether the URL asks for TLS.
    pub tls: bool,
    /// What was agreed on, such as `TLS 1.3`.
    pub agreed: Option<&'static str>,
    /// At which step it ended, and why; `None` where one got in.
    pub obstacle: Option<Obstacle>,
}

impl Reach {
    /// Whether this step succeeded.
    #[must_use]
    pub fn has_passed(&self, hurdle: Hurdle) -> bool {
        self.obstacle.as_ref().is_none_or(|obstacle| obstacle.at > hurdle)
    }
}

/// Opens a connection to each node of the options' URL, in their order, and closes it again.
/// Blocks until the deadline at most; of the time left, each node has its share.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, SystemClock};
/// use zc_events_transport::amqp::{AmqpOptions, Hurdle, reach};
///
/// let options = AmqpOptions::new("amqp://app:secret@localhost:1/".parse()?);
/// let nodes = reach(&options, SystemClock.deadline(Duration::from_secs(5)))?;
/// assert!(nodes[0].has_passed(Hurdle::Name) && !nodes[0].has_passed(Hurdle::Connect));
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unavailable`] when the system gives us no thread.
pub fn reach(options: &AmqpOptions, deadline: Deadline) -> Result<Vec<Reach>> {
    let watchdog = Watchdog::start(Arc::clone(&options.clock)).map_err(|error| Error::Unavailable {
        what: "cannot start a thread".to_owned(),
        outcome: Outcome::NotSent,
        source: Some(Box::new(error)),
    })?;
    Ok(towards_each(options, &Arc::new(watchdog), deadline))
}

/// How far one gets towards each node. The connections are closed at once.
fn towards_each(options: &AmqpOptions, watchdog: &Arc<Watchdog>, deadline: Deadline) -> Vec<Reach> {
    let nodes = options.url.nodes();
    let look = |(index, node): (usize, &Node)| {
        let share = deadline.remaining(&*options.clock) / u32::try_from(nodes.len() - index).unwrap_or(u32::MAX).max(1);
        let limit = options.clock.deadline(share);
        let mut steps = Steps::default();
        let opened = approach(options, node, watchdog, limit, &mut steps);
        let mut server = None;
        let obstacle = match opened {
            Ok(Opened { connection, lifeline, .. }) => {
                server = server_of(&connection);
                let _guard = watchdog.watch(&lifeline, options.clock.deadline(GOODBYE));
                // It has told what it was asked for.
                let _ = connection.close();
                None
            }
            Err(obstacle) => Some(obstacle),
        };
        let Steps { addresses, connected_in, tls: agreed } = steps;
        // Behind a colon that somebody encoded there is the password.
        let user = node.user.split(':').next().unwrap_or_default().to_owned();
        let vhost = node.vhost.clone();
        Reach { node: node.address(), user, vhost, addresses, connected_in, server, tls: node.tls, agreed, obstacle }
    };
    nodes.iter().enumerate().map(look).collect()
}

/// What a broker calls itself, such as `RabbitMQ 3.10.8`.
fn server_of(connection: &Connection) -> Option<String> {
    let text = |name: &str| match connection.server_properties().get(name) {
        Some(AmqpValue::LongString(text)) => Some(text.clone()),
        _ => None,
    };
    let words: Vec<String> = [text("product"), text("version")].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" ").chars().filter(|c| !c.is_control()).take(80).collect())
}

//! How far an attempt to connect to a broker comes, step by step, for diagnosis. The steps are those of every
//! connection, in `handshake`.

use std::sync::Arc;
use std::time::Duration;

use amiquip::{AmqpValue, Connection};
use zc_events_net::{ConnectTrace, Probe};
use zc_events_protocol::{Deadline, Outcome};

use super::handshake::{Opened, open};
use super::node::Node;
use super::options::AmqpOptions;
use super::watchdog::Watchdog;
use crate::{Error, Result};

/// How long the connection of a probe may take to close.
const CLOSE: Duration = Duration::from_secs(1);

/// How far an attempt to connect to one node came.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeProbe {
    /// The steps that were taken, and the one that failed.
    pub probe: Probe<Error>,
    /// The user, without the password.
    pub user: String,
    /// The virtual host, whose step is [`ConnectStep::Namespace`](zc_events_net::ConnectStep::Namespace).
    pub vhost: String,
    /// The product and version that the broker reports, such as `RabbitMQ 3.10.8`. `None` if the connection was not
    /// opened.
    pub server: Option<String>,
}

/// Opens a connection to each node of the options' URL, in order, and closes it again. Blocks until the deadline at
/// most. Each node gets its share of the time that is left.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, SystemClock};
/// use zc_events_transport::amqp::{AmqpOptions, ConnectStep, probe};
///
/// let options = AmqpOptions::new("amqp://app:secret@localhost:1/".parse()?);
/// let nodes = probe(&options, SystemClock.deadline(Duration::from_secs(5)))?;
/// assert!(nodes[0].probe.has_passed(ConnectStep::Resolve) && !nodes[0].probe.has_passed(ConnectStep::Connect));
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unavailable`] if the system refuses a thread.
pub fn probe(options: &AmqpOptions, deadline: Deadline) -> Result<Vec<NodeProbe>> {
    let watchdog = Watchdog::start(Arc::clone(&options.clock)).map_err(|error| Error::Unavailable {
        what: "cannot start a thread".to_owned(),
        outcome: Outcome::NotSent,
        source: Some(Box::new(error)),
    })?;
    Ok(probe_nodes(options, &Arc::new(watchdog), deadline))
}

fn probe_nodes(options: &AmqpOptions, watchdog: &Arc<Watchdog>, deadline: Deadline) -> Vec<NodeProbe> {
    let nodes = options.url.nodes();
    let probe_node = |(index, node): (usize, &Node)| {
        let share = deadline.remaining(&*options.clock) / u32::try_from(nodes.len() - index).unwrap_or(u32::MAX).max(1);
        let limit = options.clock.deadline(share);
        let mut trace = ConnectTrace::default();
        let opened = open(options, node, watchdog, limit, &mut trace);
        let mut server = None;
        let failure = match opened {
            Ok(Opened { connection, socket_handle, .. }) => {
                server = server_of(&connection);
                let _guard = watchdog.watch(&socket_handle, options.clock.deadline(CLOSE));
                // The probe has its answer already.
                let _ = connection.close();
                None
            }
            Err(failure) => Some(failure),
        };
        // The text after an encoded colon may be the password.
        let user = node.user.split(':').next().unwrap_or_default().to_owned();
        let probe = Probe::new(node.address(), node.tls, trace, failure);
        NodeProbe { probe, user, vhost: node.vhost.clone(), server }
    };
    nodes.iter().enumerate().map(probe_node).collect()
}

/// The product and version that a broker reports, such as `RabbitMQ 3.10.8`.
fn server_of(connection: &Connection) -> Option<String> {
    let text = |name: &str| match connection.server_properties().get(name) {
        Some(AmqpValue::LongString(text)) => Some(text.clone()),
        _ => None,
    };
    let words: Vec<String> = [text("product"), text("version")].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" ").chars().filter(|c| !c.is_control()).take(80).collect())
}

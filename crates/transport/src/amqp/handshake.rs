//! Opens an AMQP connection, step by step: host name, TCP, TLS, login, virtual host. `connection` uses the result;
//! `probe` reports how far an attempt came.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use amiquip::{Connection, ConnectionOptions, ConnectionTuning};
use zc_events_net::{ConnectFailure, ConnectStep, ConnectTrace, dial, resolve};
use zc_events_protocol::Deadline;
#[cfg(feature = "tls")]
use zc_events_protocol::Outcome;

use super::failure;
use super::guard::{FRAME_MAX, GuardReport, GuardedStream};
use super::login::{Login, LoginStream, Plain};
use super::node::Node;
use super::options::AmqpOptions;
use super::socket::{self, SocketError};
use super::watchdog::{SocketHandle, Watchdog};
use crate::Error;

/// RabbitMQ's own default, and far below what overflows in amiquip.
const CHANNEL_MAX: u16 = 2047;
/// amiquip reports any connection lost before the answer to the login as a refused login. A second attempt, which asks
/// the broker for its real answer, tells the two apart.
const LOGIN_ATTEMPTS: u32 = 2;

/// A connection that has just been opened.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) socket_handle: Arc<SocketHandle>,
    pub(super) guard_report: Arc<GuardReport>,
}

/// Why a login did not lead to a connection.
enum LoginError {
    Failed(ConnectFailure<Error>),
    /// The connection ended during the login: the credentials are wrong, or the connection was lost at that moment.
    CutOff,
}

/// Opens a connection step by step. `trace` is filled in as far as the attempt comes.
pub(super) fn open(
    options: &AmqpOptions,
    node: &Node,
    watchdog: &Arc<Watchdog>,
    deadline: Deadline,
    trace: &mut ConnectTrace,
) -> Result<Opened, ConnectFailure<Error>> {
    let mut attempt = 1;
    loop {
        let stream = connect(options, node, deadline, trace)?;
        if cfg!(not(feature = "tls")) && node.tls {
            return Err(tls_not_built(options));
        }
        match log_in(options, node, watchdog, stream, deadline, trace) {
            Err(LoginError::CutOff) if attempt < LOGIN_ATTEMPTS => attempt += 1,
            Ok(opened) => return Ok(opened),
            Err(LoginError::Failed(failure)) => return Err(failure),
            Err(LoginError::CutOff) => return Err(login_failure(&amiquip::Error::InvalidCredentials, options, node)),
        }
    }
}

/// The steps below TLS and AMQP.
fn connect(
    options: &AmqpOptions,
    node: &Node,
    deadline: Deadline,
    trace: &mut ConnectTrace,
) -> Result<TcpStream, ConnectFailure<Error>> {
    let (clock, setting) = (&*options.clock, &options.setting);
    let addresses = resolve(&node.host, node.port, clock, deadline).map_err(|error| {
        let reason = error.to_string();
        ConnectFailure::new(ConnectStep::Resolve, reason, failure::not_resolved(error, node, setting))
    })?;
    trace.addresses = addresses.iter().map(SocketAddr::ip).collect();
    let begun = clock.now();
    let stream = dial(&addresses, clock, deadline).map_err(|error| {
        let reason = error.to_string();
        ConnectFailure::new(ConnectStep::Connect, reason, failure::not_connected(error.source, node, setting))
    })?;
    trace.connected_in = Some(clock.now().saturating_duration_since(begun));
    Ok(stream)
}

fn tls_not_built(options: &AmqpOptions) -> ConnectFailure<Error> {
    let why = format!(
        "{} asks for TLS (amqps://), which this build does not include: enable the feature `tls` of zc-events",
        options.setting
    );
    ConnectFailure::new(ConnectStep::Tls, "this build does not include TLS", Error::Config { why })
}

/// The failure of the TLS step.
#[cfg(feature = "tls")]
fn tls_failure(why: SocketError, is_late: bool, options: &AmqpOptions, node: &Node) -> ConnectFailure<Error> {
    let setting = &options.setting;
    let (reason, error) = match why {
        SocketError::TlsConfig(error) => (error.to_string(), Error::Config { why: format!("{setting}: {error}") }),
        SocketError::Io(error) | SocketError::Handshake(error) if is_late => {
            (error.to_string(), failure::not_connected(io::ErrorKind::TimedOut.into(), node, setting))
        }
        SocketError::Io(error) | SocketError::Handshake(error) => {
            let reason = zc_events_net::explain(&error).unwrap_or_else(|| error.to_string());
            return handshake_failure(reason, Box::new(error), options, node);
        }
    };
    ConnectFailure::new(ConnectStep::Tls, reason, error)
}

#[cfg(feature = "tls")]
fn handshake_failure(
    reason: String,
    source: Box<dyn std::error::Error + Send + Sync>,
    options: &AmqpOptions,
    node: &Node,
) -> ConnectFailure<Error> {
    let what = format!(
        "no TLS with the broker at {node}: {reason} (in {}, set cacertfile=PATH to the CA certificate, and certfile and keyfile if \
         the broker asks for a client certificate; RabbitMQ's default port for TLS is 5671)",
        options.setting
    );
    let error = Error::Unavailable { what, outcome: Outcome::NotSent, source: Some(source) };
    ConnectFailure::new(ConnectStep::Tls, reason, error)
}

fn login_failure(error: &amiquip::Error, options: &AmqpOptions, node: &Node) -> ConnectFailure<Error> {
    let step = if failure::is_about_vhost(error) { ConnectStep::Namespace } else { ConnectStep::Login };
    ConnectFailure::new(step, failure::reason(error), failure::not_opened(error, node, &options.setting))
}

fn log_in(
    options: &AmqpOptions,
    node: &Node,
    watchdog: &Arc<Watchdog>,
    stream: TcpStream,
    deadline: Deadline,
    trace: &mut ConnectTrace,
) -> Result<Opened, LoginError> {
    let not_connected = |error: io::Error| {
        let reason = error.to_string();
        let error = failure::not_connected(error, node, &options.setting);
        LoginError::Failed(ConnectFailure::new(ConnectStep::Login, reason, error))
    };
    let socket_handle = Arc::new(SocketHandle::new(stream.try_clone().map_err(not_connected)?));
    let guard = watchdog.watch(&socket_handle, deadline);
    let socket = socket::open(node, stream).map_err(|why| match why {
        SocketError::Io(error) => not_connected(error),
        #[cfg(feature = "tls")]
        why => LoginError::Failed(tls_failure(why, guard.has_fired(), options, node)),
    })?;
    trace.tls_version = socket.version();
    let login = Login {
        user: node.user.clone(),
        password: node.password.clone(),
        connection_name: options.connection_name.clone(),
    };
    let wanted = ConnectionOptions::<Plain>::default()
        .virtual_host(node.vhost.clone())
        .heartbeat(negotiated(node.heartbeat.unwrap_or(options.heartbeat)))
        .channel_max(CHANNEL_MAX)
        .frame_max(FRAME_MAX);
    let guard_report = Arc::new(GuardReport::new());
    let stream = GuardedStream::new(LoginStream::new(socket, login), Arc::clone(&guard_report));
    let opened = Connection::insecure_open_stream(stream, wanted, ConnectionTuning::default());
    match opened {
        Ok(connection) => {
            drop(guard);
            Ok(Opened { connection, socket_handle, guard_report })
        }
        Err(_) if guard.has_fired() => Err(not_connected(io::ErrorKind::TimedOut.into())),
        Err(error) if guard_report.refusal().is_some() => {
            // amiquip may report this end as a refused login, too.
            let why = guard_report.refusal().map_or_else(|| error.to_string(), str::to_owned);
            Err(not_connected(io::Error::new(io::ErrorKind::InvalidData, why)))
        }
        Err(amiquip::Error::InvalidCredentials) => Err(LoginError::CutOff),
        Err(error) => {
            // In TLS 1.3 the server complains about a missing client certificate only after the handshake.
            #[cfg(feature = "tls")]
            if let Some(reason) = socket::explain(&error) {
                return Err(LoginError::Failed(handshake_failure(reason, Box::new(error), options, node)));
            }
            Err(LoginError::Failed(login_failure(&error, options, node)))
        }
    }
}

/// The heartbeat, in seconds, to agree on with the broker so that either side notices a dead connection within two
/// heartbeats of the setting. amiquip gives up after two silent heartbeats, RabbitMQ only after three, so the broker is
/// asked for two thirds.
fn negotiated(heartbeat: u16) -> u16 {
    (heartbeat / 3 * 2 + heartbeat % 3 * 2 / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::negotiated;

    #[test]
    fn three_negotiated_heartbeats_are_at_most_two_of_the_setting() {
        for setting in 2..=u16::MAX {
            let agreed = negotiated(setting);
            assert!(agreed >= 1 && u32::from(agreed) * 3 <= u32::from(setting) * 2, "{setting} became {agreed}");
        }
        assert_eq!([1, 2, 3, 10, 60].map(negotiated), [1, 1, 2, 6, 40]);
    }
}

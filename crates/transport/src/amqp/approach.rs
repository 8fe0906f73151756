//! The way to an open connection, step by step: name, TCP, TLS, login, virtual host. What is done
//! with a connection then is in `link`, and how far one got, for diagnosis, in `reach`.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use amiquip::{Connection, ConnectionOptions, ConnectionTuning};
use zc_events_protocol::Deadline;
#[cfg(feature = "tls")]
use zc_events_protocol::Outcome;

use super::dial::{dial, resolve};
use super::failure;
use super::guard::{FRAME_MAX, GuardedStream, Watch};
use super::login::{Login, LoginStream, Plain};
use super::options::AmqpOptions;
use super::reach::{Hurdle, Obstacle};
use super::url::Node;
use super::watchdog::{Lifeline, Watchdog};
use super::wire::{self, NoWire};
use crate::Error;

/// RabbitMQ's own default, and far below what overflows in amiquip.
const CHANNEL_MAX: u16 = 2047;
/// amiquip takes any cut before the login is answered for a refusal; with the broker's
/// real answer asked for, one more attempt tells the two apart.
const LOGIN_ATTEMPTS: u32 = 2;

/// A connection that is just open.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lifeline: Arc<Lifeline>,
    pub(super) watch: Arc<Watch>,
}

/// What the steps towards a connection showed.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) connected_in: Option<Duration>,
    /// What was agreed on, such as `TLS 1.3`.
    pub(super) tls: Option<&'static str>,
}

/// Why a login did not lead to a connection.
enum NotOpened {
    For(Obstacle),
    /// As with wrong credentials, or with a connection that was lost just then.
    CutOff,
}

/// Opens a connection step by step. What the steps showed is noted, however it ends.
pub(super) fn approach(
    options: &AmqpOptions,
    node: &Node,
    watchdog: &Arc<Watchdog>,
    deadline: Deadline,
    steps: &mut Steps,
) -> Result<Opened, Obstacle> {
    let mut attempt = 1;
    loop {
        let stream = connect(options, node, deadline, steps)?;
        if cfg!(not(feature = "tls")) && node.tls {
            return Err(no_tls(options));
        }
        match log_in(options, node, watchdog, stream, deadline, steps) {
            Err(NotOpened::CutOff) if attempt < LOGIN_ATTEMPTS => attempt += 1,
            Ok(opened) => return Ok(opened),
            Err(NotOpened::For(obstacle)) => return Err(obstacle),
            Err(NotOpened::CutOff) => return Err(refused(&amiquip::Error::InvalidCredentials, options, node)),
        }
    }
}

/// The steps below AMQP.
pub(super) fn connect(
    options: &AmqpOptions,
    node: &Node,
    deadline: Deadline,
    steps: &mut Steps,
) -> Result<TcpStream, Obstacle> {
    let (clock, setting) = (&*options.clock, &options.setting);
    let addresses = resolve(node, clock, deadline).map_err(|error| {
        let said = error.to_string();
        Obstacle { at: Hurdle::Name, said, error: failure::not_found(error, node, setting) }
    })?;
    steps.addresses = addresses.iter().map(SocketAddr::ip).collect();
    let dialled = clock.now();
    let stream = dial(&addresses, clock, deadline).map_err(|error| {
        let said = error.to_string();
        Obstacle { at: Hurdle::Connect, said, error: failure::not_connected(error, node, setting) }
    })?;
    steps.connected_in = Some(clock.now().saturating_duration_since(dialled));
    Ok(stream)
}

fn no_tls(options: &AmqpOptions) -> Obstacle {
    let why = format!(
        "{} asks for TLS (amqps://), which this build does not have: it is the feature `tls` of zc-events",
        options.setting
    );
    Obstacle { at: Hurdle::Tls, said: "this build has no TLS".to_owned(), error: Error::Config { why } }
}

/// Why TLS did not come about.
#[cfg(feature = "tls")]
fn no_handshake(why: NoWire, is_late: bool, options: &AmqpOptions, node: &Node) -> Obstacle {
    let setting = &options.setting;
    let (said, error) = match why {
        NoWire::Here(error) => (error.to_string(), Error::Config { why: format!("{setting}: {error}") }),
        NoWire::Socket(error) | NoWire::Handshake(error) if is_late => {
            (error.to_string(), failure::not_connected(io::ErrorKind::TimedOut.into(), node, setting))
        }
        NoWire::Socket(error) | NoWire::Handshake(error) => {
            let said = zc_events_tls::explain(&error).unwrap_or_else(|| error.to_string());
            return not_secured(said, Box::new(error), options, node);
        }
    };
    Obstacle { at: Hurdle::Tls, said, error }
}

#[cfg(feature = "tls")]
fn not_secured(
    said: String,
    source: Box<dyn std::error::Error + Send + Sync>,
    options: &AmqpOptions,
    node: &Node,
) -> Obstacle {
    let what = format!(
        "no TLS with the broker at {node}: {said} (see {}: the port of TLS is 5671 as a rule, cacertfile=PATH names who vouches \
         for the broker, certfile and keyfile what is shown to it)",
        options.setting
    );
    Obstacle {
        at: Hurdle::Tls,
        said,
        error: Error::Unavailable { what, outcome: Outcome::NotSent, source: Some(source) },
    }
}

fn refused(error: &amiquip::Error, options: &AmqpOptions, node: &Node) -> Obstacle {
    let at = if failure::is_about_vhost(error) { Hurdle::VirtualHost } else { Hurdle::Login };
    Obstacle { at, said: failure::reason(error), error: failure::not_opened(error, node, &options.setting) }
}

fn log_in(
    options: &AmqpOptions,
    node: &Node,
    watchdog: &Arc<Watchdog>,
    stream: TcpStream,
    deadline: Deadline,
    steps: &mut Steps,
) -> Result<Opened, NotOpened> {
    let not_connected = |error: io::Error| {
        let said = error.to_string();
        NotOpened::For(Obstacle {
            at: Hurdle::Login,
            said,
            error: failure::not_connected(error, node, &options.setting),
        })
    };
    let lifeline = Arc::new(Lifeline::new(stream.try_clone().map_err(not_connected)?));
    let guard = watchdog.watch(&lifeline, deadline);
    let wire = wire::open(node, stream).map_err(|why| match why {
        NoWire::Socket(error) => not_connected(error),
        #[cfg(feature = "tls")]
        why => NotOpened::For(no_handshake(why, guard.has_fired(), options, node)),
    })?;
    steps.tls = wire.version();
    let login = Login {
        user: node.user.clone(),
        password: node.password.clone(),
        connection_name: options.connection_name.clone(),
    };
    let wanted = ConnectionOptions::<Plain>::default()
        .virtual_host(node.vhost.clone())
        .heartbeat(on_the_wire(node.heartbeat.unwrap_or(options.heartbeat)))
        .channel_max(CHANNEL_MAX)
        .frame_max(FRAME_MAX);
    let watch = Arc::new(Watch::new());
    let stream = GuardedStream::new(LoginStream::new(wire, login), Arc::clone(&watch));
    let opened = Connection::insecure_open_stream(stream, wanted, ConnectionTuning::default());
    match opened {
        Ok(connection) => {
            drop(guard);
            Ok(Opened { connection, lifeline, watch })
        }
        Err(_) if guard.has_fired() => Err(not_connected(io::ErrorKind::TimedOut.into())),
        Err(error) if watch.refusal().is_some() => {
            // amiquip may take this end for a refused login, too.
            let why = watch.refusal().map_or_else(|| error.to_string(), str::to_owned);
            Err(not_connected(io::Error::new(io::ErrorKind::InvalidData, why)))
        }
        Err(amiquip::Error::InvalidCredentials) => Err(NotOpened::CutOff),
        Err(error) => {
            // In TLS 1.3 a certificate that is missing is told after the handshake.
            #[cfg(feature = "tls")]
            if let Some(said) = wire::explain(&error) {
                return Err(NotOpened::For(not_secured(said, Box::new(error), options, node)));
            }
            Err(NotOpened::For(refused(&error, options, node)))
        }
    }
}

/// The heartbeat to agree on with the broker. What we hear is judged by amiquip, after two of them in silence; what the
/// broker hears is judged by RabbitMQ, which looks once in each and gives up at the third: asked for two thirds, it has
/// given up after two of those that are meant.
fn on_the_wire(heartbeat: u16) -> u16 {
    (heartbeat / 3 * 2 + heartbeat % 3 * 2 / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::on_the_wire;

    #[test]
    fn three_heartbeats_on_the_wire_are_no_longer_than_two_that_are_meant() {
        for meant in 2..=u16::MAX {
            let wire = on_the_wire(meant);
            assert!(wire >= 1 && u32::from(wire) * 3 <= u32::from(meant) * 2, "{meant} became {wire}");
        }
        assert_eq!([1, 2, 3, 10, 60].map(on_the_wire), [1, 1, 2, 6, 40]);
    }
}

//! The way to an open connection, step by step: name, TCP, login, virtual host. What is done
//! with a connection then is in `link`, and how far one got, for diagnosis, in `reach`.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use amiquip::{Connection, ConnectionOptions, ConnectionTuning};
use zc_events_protocol::Deadline;

use super::dial::{dial, resolve};
use super::failure;
use super::guard::{FRAME_MAX, GuardedStream, Watch};
use super::login::{Login, LoginStream, Plain};
use super::options::AmqpOptions;
use super::reach::Hurdle;
use super::url::Node;
use super::watchdog::{Lifeline, Watchdog};
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
}

/// Why a login did not lead to a connection.
enum NotOpened {
    For(Error),
    /// As with wrong credentials, or with a connection that was lost just then.
    CutOff,
}

/// Opens a connection step by step. Where it fails, the step is told that failed; what the others showed is noted.
pub(super) fn approach(
    options: &AmqpOptions,
    node: &Node,
    watchdog: &Arc<Watchdog>,
    deadline: Deadline,
    steps: &mut Steps,
) -> Result<Opened, (Hurdle, Error)> {
    let (clock, setting) = (&*options.clock, &options.setting);
    if node.tls {
        let why = format!(
            "{setting} asks for TLS (amqps://), which this build does not have: use amqp:// behind a TLS tunnel"
        );
        return Err((Hurdle::Tls, Error::Config { why }));
    }
    let mut attempt = 1;
    loop {
        let addresses =
            resolve(node, clock, deadline).map_err(|error| (Hurdle::Name, failure::not_found(error, node, setting)))?;
        steps.addresses = addresses.iter().map(SocketAddr::ip).collect();
        let dialled = clock.now();
        let stream = dial(&addresses, clock, deadline)
            .map_err(|error| (Hurdle::Connect, failure::not_connected(error, node, setting)))?;
        steps.connected_in = Some(clock.now().saturating_duration_since(dialled));
        match log_in(options, node, watchdog, stream, deadline) {
            Err((_, NotOpened::CutOff)) if attempt < LOGIN_ATTEMPTS => attempt += 1,
            Ok(opened) => return Ok(opened),
            Err((hurdle, NotOpened::For(error))) => return Err((hurdle, error)),
            Err((hurdle, NotOpened::CutOff)) => {
                return Err((hurdle, failure::not_opened(&amiquip::Error::InvalidCredentials, node, setting)));
            }
        }
    }
}

fn log_in(
    options: &AmqpOptions,
    node: &Node,
    watchdog: &Arc<Watchdog>,
    stream: TcpStream,
    deadline: Deadline,
) -> Result<Opened, (Hurdle, NotOpened)> {
    let not_connected = |error| (Hurdle::Login, NotOpened::For(failure::not_connected(error, node, &options.setting)));
    let lifeline = Arc::new(Lifeline::new(stream.try_clone().map_err(not_connected)?));
    let stream = mio::net::TcpStream::from_stream(stream).map_err(not_connected)?;
    let guard = watchdog.watch(&lifeline, deadline);
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
    let stream = GuardedStream::new(LoginStream::new(stream, login), Arc::clone(&watch));
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
        Err(amiquip::Error::InvalidCredentials) => Err((Hurdle::Login, NotOpened::CutOff)),
        Err(error) => {
            let hurdle = if failure::is_about_vhost(&error) { Hurdle::VirtualHost } else { Hurdle::Login };
            Err((hurdle, NotOpened::For(failure::not_opened(&error, node, &options.setting))))
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

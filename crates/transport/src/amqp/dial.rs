//! From a host's name to a TCP connection, by a deadline. No AMQP here.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use socket2::{SockRef, TcpKeepalive};
use zc_events_protocol::{Clock, Deadline, clock};

use super::url::Node;

/// TCP, with small messages sent at once (the default would hold each confirm up by 40 ms)
/// and dead peers noticed by the system, too.
pub(super) fn dial(addresses: &[SocketAddr], clock: &dyn Clock, deadline: Deadline) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in addresses {
        let left = deadline.remaining(clock);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30));
                SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The addresses of a host. The system's resolver knows no deadline, so it is asked on a
/// thread of its own, which may outlive the call.
pub(super) fn resolve(node: &Node, clock: &dyn Clock, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = node.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, node.port)]);
    }
    let (answer, answered) = bounded(1);
    let target = (node.host.clone(), node.port);
    thread::Builder::new().name("zc-events-dns".into()).spawn(move || {
        // The caller may have given up.
        let _ = answer.send(target.to_socket_addrs().map(Iterator::collect));
    })?;
    clock::receive(clock, &answered, deadline).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

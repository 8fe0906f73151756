//! Opens a TCP connection by a deadline.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use std::{error, fmt, io};

use socket2::{SockRef, TcpKeepalive};
use zc_events_protocol::{Clock, Deadline};

/// How long a connection is silent until the system asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why no address could be connected to.
#[derive(Debug)]
#[non_exhaustive]
pub struct DialError {
    /// The address that was tried last, if there was time to try one.
    pub address: Option<SocketAddr>,
    /// Why it failed. [`TimedOut`](io::ErrorKind::TimedOut) also when the deadline had passed before.
    pub source: io::Error,
}

impl DialError {
    /// Whether no answer came in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.source.kind() == io::ErrorKind::TimedOut
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_timeout() { f.write_str("no answer in time") } else { self.source.fmt(f) }
    }
}

impl error::Error for DialError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Connects to the first of `addresses` that answers. Each address gets its share of the time that is left, so one that
/// does not answer leaves time for the next.
///
/// The connection sends small messages at once (`TCP_NODELAY`), and the system notices a peer that has vanished
/// (keepalive).
///
/// # Errors
/// [`DialError`] of the last address that was tried, at the deadline at the latest.
pub fn dial(addresses: &[SocketAddr], clock: &dyn Clock, deadline: Deadline) -> Result<TcpStream, DialError> {
    let mut last = DialError { address: None, source: io::ErrorKind::TimedOut.into() };
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.remaining(clock);
        if left.is_zero() {
            break;
        }
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        // The system refuses a timeout of 0.
        match connect(address, share.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream),
            Err(source) => last = DialError { address: Some(*address), source },
        }
    }
    Err(last)
}

fn connect(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, timeout)?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use zc_events_protocol::SystemClock;

    /// An address at which no socket listens.
    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn the_first_address_that_answers_is_used_with_nodelay_and_keepalive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = listener.local_addr().unwrap();
        let deadline = SystemClock.deadline(Duration::from_secs(20));
        let stream = dial(&[refusing(), listening], &SystemClock, deadline).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listening);
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
    }

    #[test]
    fn a_refusal_names_its_address_and_a_passed_deadline_tries_none() {
        let address = refusing();
        let refused = dial(&[address], &SystemClock, SystemClock.deadline(Duration::from_secs(20))).unwrap_err();
        assert_eq!((refused.address, refused.source.kind()), (Some(address), io::ErrorKind::ConnectionRefused));
        let late = dial(&[address], &SystemClock, SystemClock.deadline(Duration::ZERO)).unwrap_err();
        assert!(late.is_timeout() && late.address.is_none(), "{late:?}");
    }
}

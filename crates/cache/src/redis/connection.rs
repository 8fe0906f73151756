//! One connection: sends bytes, reads whole replies, each call by its own deadline. Each read and write waits only for
//! the time that is left, so a server that drips its reply gains nothing. Knows no commands.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use r2d2_redis::redis::{RedisResult, Value, parse_redis_value};
use zc_events_net::Socket;
use zc_events_protocol::{Clock, Deadline};

use super::io_failure::IoFailure;
use super::reply_scanner::{ReplyScanner, ScanProgress};
use super::socket_timeouts::{in_steps, set_timeouts, time_left};

/// A server's reply: a value, or an error reply.
pub(super) type Reply = RedisResult<Value>;

/// The connection keeps a buffer of this size between two calls, in bytes.
const KEPT: usize = 64 * 1024;
/// One read takes at most this many bytes.
const CHUNK: usize = 256 * 1024;

pub(super) struct RedisConnection {
    socket: Socket<TcpStream>,
    input: Vec<u8>,
    /// Whether the server has replied to each command, in full.
    clean: bool,
    last_used: Instant,
    max_reply: usize,
}

impl RedisConnection {
    /// On a socket that sends small messages at once (`TCP_NODELAY`).
    pub(super) fn new(socket: TcpStream, max_reply: usize, now: Instant) -> Self {
        Self { socket: Socket::Plain(socket), input: Vec::new(), clean: true, last_used: now, max_reply }
    }

    /// Starts TLS, before the first command. Returns the version that both sides agreed on.
    #[cfg(feature = "tls")]
    pub(super) fn secure(
        self,
        connector: &zc_events_net::TlsConnector,
        clock: &dyn Clock,
        until: Deadline,
    ) -> io::Result<(Self, &'static str)> {
        let Socket::Plain(socket) = self.socket else { return Err(io::ErrorKind::InvalidInput.into()) };
        let stream = connector.connect_in_steps(socket, |socket: &TcpStream| {
            set_timeouts(socket, super::socket_timeouts::step(time_left(clock, until)?))
        })?;
        let version = stream.version();
        Ok((Self { socket: Socket::Tls(Box::new(stream)), ..self }, version))
    }

    /// Sends `request` and reads `replies` replies. An error reply is a reply. After a failure the connection stays
    /// marked as broken. A call whose deadline has passed before it sends anything leaves the mark as it was.
    pub(super) fn call(
        &mut self,
        request: &[u8],
        replies: usize,
        clock: &dyn Clock,
        until: Deadline,
    ) -> Result<Vec<Reply>, IoFailure> {
        let mut read = Vec::with_capacity(replies);
        let sent = self.send(request, clock, until);
        let result = match sent {
            // A server that closed in the middle of a long request may have said why.
            Ok(()) | Err(IoFailure::Lost(_)) => sent.and(self.receive(replies, clock, until, |reply| read.push(reply))),
            failure => failure,
        };
        match result {
            Ok(()) => Ok(read),
            Err(failure) => {
                // A server that is full sends an error reply and then closes.
                let refused = read.last().is_some_and(Result::is_err);
                if refused || !matches!(failure, IoFailure::TimedOut) {
                    self.clean = false;
                }
                if refused { Ok(read) } else { Err(failure) }
            }
        }
    }

    /// Sends `request`. The connection counts as broken until [`RedisConnection::receive`] has read the replies.
    pub(super) fn send(&mut self, request: &[u8], clock: &dyn Clock, until: Deadline) -> Result<(), IoFailure> {
        time_left(clock, until)?;
        self.clean = false;
        self.write(request, clock, until)
    }

    /// Reads all `replies` replies that the server owes, and passes each on as it comes.
    pub(super) fn receive(
        &mut self,
        replies: usize,
        clock: &dyn Clock,
        until: Deadline,
        mut pass_on: impl FnMut(Reply),
    ) -> Result<(), IoFailure> {
        for _ in 0..replies {
            pass_on(self.reply(clock, until)?);
        }
        if !self.input.is_empty() {
            return Err(IoFailure::Garbage);
        }
        self.clean = true;
        self.last_used = clock.now();
        self.input.shrink_to(KEPT);
        Ok(())
    }

    /// The bytes of a reply that could not be read to its end.
    pub(super) fn unread(&self) -> &[u8] {
        &self.input
    }

    fn write(&mut self, mut request: &[u8], clock: &dyn Clock, until: Deadline) -> Result<(), IoFailure> {
        while !request.is_empty() {
            let end = Instant::now() + time_left(clock, until)?;
            let written = in_steps(end, |step| {
                set_timeouts(self.socket.socket(), step)?;
                self.socket.write(request)
            });
            match written {
                Ok(0) => return Err(IoFailure::Closed),
                Ok(written) => request = &request[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn reply(&mut self, clock: &dyn Clock, until: Deadline) -> Result<Reply, IoFailure> {
        let mut scanner = ReplyScanner::new(self.max_reply);
        loop {
            match scanner.advance(&self.input)? {
                ScanProgress::Whole(end) => {
                    let reply = parse_redis_value(&self.input[scanner.part_to_parse(end)]);
                    self.input.drain(..end);
                    return Ok(reply);
                }
                ScanProgress::Needs(length) => {
                    self.read((length - self.input.len()).clamp(4096, CHUNK), clock, until)?;
                }
            }
        }
    }

    fn read(&mut self, wanted: usize, clock: &dyn Clock, until: Deadline) -> Result<(), IoFailure> {
        let end = Instant::now() + time_left(clock, until)?;
        let before = self.input.len();
        self.input.resize(before + wanted, 0);
        let result = in_steps(end, |step| {
            set_timeouts(self.socket.socket(), step)?;
            self.socket.read(&mut self.input[before..])
        });
        self.input.truncate(before + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => Err(IoFailure::Closed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks the connection as broken. It is not used again.
    pub(super) fn poison(&mut self) {
        self.clean = false;
    }

    /// Whether the server has replied to each command, and the connection is not poisoned.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Whether the connection can be lent: it is clean, has no unexpected bytes in it, and as far as this side knows the
    /// server has not closed it. Costs no round trip.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.clean || self.socket.socket().set_nonblocking(true).is_err() {
            return false;
        }
        let is_silent = match &mut self.socket {
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => stream.is_silent(),
            plain => {
                let peeked = plain.socket().peek(&mut [0]);
                peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
        };
        self.socket.socket().set_nonblocking(false).is_ok() && is_silent
    }

    /// The time since the last reply.
    pub(super) fn idle(&self, clock: &dyn Clock) -> Duration {
        clock.now().saturating_duration_since(self.last_used)
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection").field("clean", &self.clean).finish_non_exhaustive()
    }
}

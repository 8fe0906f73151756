//! One connection: bytes out, whole answers in, each call by its own deadline. Every read
//! and write waits for what is left, so a server that drips its answer gains nothing.
//! Which commands there are is not known here.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use r2d2_redis::redis::{RedisResult, Value, parse_redis_value};
use zc_events_net::Socket;
use zc_events_protocol::{Clock, Deadline};

use super::frame::{Bad, Progress, Scan};

/// What a server answered: a value, or its refusal.
pub(super) type Answer = RedisResult<Value>;

/// The buffer that a connection keeps between two calls.
const KEPT: usize = 64 * 1024;
/// At most so much is read at once.
const CHUNK: usize = 256 * 1024;

/// Why there is no answer, or none that can be trusted. The connection is of no use afterwards.
#[derive(Debug)]
pub(super) enum Trouble {
    TimedOut,
    /// The server closed the connection.
    Closed,
    Lost(io::Error),
    /// What came is not what was asked for.
    Garbage,
    TooLarge,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::TimedOut,
            io::ErrorKind::UnexpectedEof => Trouble::Closed,
            _ => Trouble::Lost(error),
        }
    }
}

impl From<Bad> for Trouble {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::Garbage => Trouble::Garbage,
            Bad::TooLarge => Trouble::TooLarge,
        }
    }
}

pub(super) struct Link {
    wire: Socket<TcpStream>,
    input: Vec<u8>,
    /// Whether each question that was asked has been answered, in full.
    clean: bool,
    used: Instant,
    max_reply: usize,
}

impl Link {
    pub(super) fn open(address: SocketAddr, within: Duration, max_reply: usize, now: Instant) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, within.max(Duration::from_millis(1)))?;
        // A long value goes out in several segments; the last must not wait for an acknowledgement.
        socket.set_nodelay(true)?;
        Ok(Self { wire: Socket::Plain(socket), input: Vec::new(), clean: true, used: now, max_reply })
    }

    /// Puts TLS over it, before anything is asked. Says which.
    #[cfg(feature = "tls")]
    pub(super) fn secure(
        self,
        connector: &zc_events_net::TlsConnector,
        clock: &dyn Clock,
        until: Deadline,
    ) -> io::Result<(Self, &'static str)> {
        let Socket::Plain(socket) = self.wire else { return Err(io::ErrorKind::InvalidInput.into()) };
        let stream = connector.connect_in_steps(socket, |socket: &TcpStream| {
            let left = left(clock, until).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            set_timeouts(socket, step(left))
        })?;
        let version = stream.version();
        Ok((Self { wire: Socket::Tls(Box::new(stream)), ..self }, version))
    }

    /// Sends `request` and takes `answers` answers. A refusal is an answer. When it fails,
    /// or does not return, the connection stays marked as broken; only a call that is too late
    /// from the start, and sends nothing, leaves it as it was.
    pub(super) fn call(
        &mut self,
        request: &[u8],
        answers: usize,
        clock: &dyn Clock,
        until: Deadline,
    ) -> Result<Vec<Answer>, Trouble> {
        let mut taken = Vec::with_capacity(answers);
        let sent = self.send(request, clock, until);
        let result = match sent {
            // When the server closed in the middle of a long request, it may have said why.
            Ok(()) | Err(Trouble::Lost(_)) => {
                sent.and(self.receive(answers, clock, until, |answer| taken.push(answer)))
            }
            trouble => trouble,
        };
        match result {
            Ok(()) => Ok(taken),
            Err(trouble) => {
                // Refused and then closed, as a server that is full does it.
                let refused = taken.last().is_some_and(Result::is_err);
                if refused || !matches!(trouble, Trouble::TimedOut) {
                    self.clean = false;
                }
                if refused { Ok(taken) } else { Err(trouble) }
            }
        }
    }

    /// Sends `request`. What is owed to it is taken by [`Link::receive`]; until then the
    /// connection counts as broken.
    pub(super) fn send(&mut self, request: &[u8], clock: &dyn Clock, until: Deadline) -> Result<(), Trouble> {
        left(clock, until)?;
        self.clean = false;
        self.write(request, clock, until)
    }

    /// Takes the `answers` answers that are owed, all of them, and hands each on as it comes.
    /// After a timeout the wait may be taken up again for those that were not handed on.
    pub(super) fn receive(
        &mut self,
        answers: usize,
        clock: &dyn Clock,
        until: Deadline,
        mut take: impl FnMut(Answer),
    ) -> Result<(), Trouble> {
        for _ in 0..answers {
            take(self.answer(clock, until)?);
        }
        if !self.input.is_empty() {
            return Err(Trouble::Garbage);
        }
        self.clean = true;
        self.used = clock.now();
        self.input.shrink_to(KEPT);
        Ok(())
    }

    fn write(&mut self, mut request: &[u8], clock: &dyn Clock, until: Deadline) -> Result<(), Trouble> {
        while !request.is_empty() {
            let end = Instant::now() + left(clock, until)?;
            let written = in_steps(end, |step| {
                set_timeouts(self.wire.socket(), step)?;
                self.wire.write(request)
            });
            match written {
                Ok(0) => return Err(Trouble::Closed),
                Ok(written) => request = &request[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn answer(&mut self, clock: &dyn Clock, until: Deadline) -> Result<Answer, Trouble> {
        let mut scan = Scan::new(self.max_reply);
        loop {
            match scan.advance(&self.input)? {
                Progress::Whole(end) => {
                    let answer = parse_redis_value(&self.input[scan.telling(end)]);
                    self.input.drain(..end);
                    return Ok(answer);
                }
                Progress::Needs(length) => self.read((length - self.input.len()).clamp(4096, CHUNK), clock, until)?,
            }
        }
    }

    fn read(&mut self, wanted: usize, clock: &dyn Clock, until: Deadline) -> Result<(), Trouble> {
        let end = Instant::now() + left(clock, until)?;
        let before = self.input.len();
        self.input.resize(before + wanted, 0);
        let result = in_steps(end, |step| {
            set_timeouts(self.wire.socket(), step)?;
            self.wire.read(&mut self.input[before..])
        });
        self.input.truncate(before + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => Err(Trouble::Closed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks it as of no use.
    pub(super) fn spoil(&mut self) {
        self.clean = false;
    }

    /// Whether every question so far was answered.
    pub(super) fn is_clean(&self) -> bool {
        self.clean
    }

    /// Whether it can be lent: nothing is owed on it, nothing lies in it that nobody asked
    /// for, and as far as this side knows the server has not closed it. No round trip.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.clean || self.wire.socket().set_nonblocking(true).is_err() {
            return false;
        }
        let is_silent = match &mut self.wire {
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => stream.is_silent(),
            wire => {
                let peeked = wire.socket().peek(&mut [0]);
                peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
        };
        self.wire.socket().set_nonblocking(false).is_ok() && is_silent
    }

    /// How long nothing was asked.
    pub(super) fn idle(&self, clock: &dyn Clock) -> Duration {
        clock.now().saturating_duration_since(self.used)
    }
}

/// How long the next read or write may take: of TLS, a read may write, and the other way round.
fn set_timeouts(socket: &TcpStream, timeout: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))
}

/// Lets a socket wait until `end`, in steps: the system may be late with a socket's timeout by a good part of it, such as
/// a quarter of a second in two.
fn in_steps<T>(end: Instant, mut wait: impl FnMut(Duration) -> io::Result<T>) -> io::Result<T> {
    loop {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match wait(step(left)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                if Instant::now() >= end {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

/// The first of the waits that make up `left`.
fn step(left: Duration) -> Duration {
    const SHORT: Duration = Duration::from_millis(100);
    if left <= SHORT { left } else { (left * 3 / 4).max(SHORT) }
}

/// What a socket may wait: never zero, which sockets refuse.
fn left(clock: &dyn Clock, until: Deadline) -> Result<Duration, Trouble> {
    let left = until.remaining(clock);
    if left.is_zero() { Err(Trouble::TimedOut) } else { Ok(left.max(Duration::from_millis(1))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a kernel with 250 ticks a second makes of a timeout, at worst.
    fn as_late_as_can_be(timeout: Duration) -> Duration {
        let grain = match timeout.as_millis() {
            0..252 => 4,
            252..2044 => 32,
            2044..16_000 => 256,
            _ => 2048,
        };
        timeout + Duration::from_millis(grain)
    }

    #[test]
    fn no_step_but_the_last_goes_past_the_end() {
        for millis in [1, 99, 101, 252, 700, 2000, 2100, 5000, 30_000, 600_000] {
            let (mut left, mut steps) = (Duration::from_millis(millis), 0);
            while step(left) < left {
                let waited = as_late_as_can_be(step(left));
                assert!(waited <= left + Duration::from_millis(32), "{left:?}: {waited:?}");
                left = left.saturating_sub(waited);
                steps += 1;
            }
            assert!(left <= Duration::from_millis(100) && steps <= 12, "{millis} ms: {left:?} after {steps}");
        }
    }

    #[test]
    fn a_wait_ends_when_all_of_it_is_over() {
        let mut steps = Vec::new();
        let end = Instant::now() + Duration::from_millis(30);
        let timed_out = in_steps::<()>(end, |step| {
            steps.push(step);
            Err(io::ErrorKind::WouldBlock.into())
        });
        assert_eq!(timed_out.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(Instant::now() >= end && steps.iter().all(|step| *step <= Duration::from_millis(30)), "{steps:?}");
        assert_eq!(in_steps(end, |_| Ok(7)).unwrap(), 7);
    }
}

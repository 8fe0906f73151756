//! Looks up the addresses of a host by a deadline. The system's resolver knows no deadline, so each lookup runs on a
//! thread of its own. Callers that ask for the same host and port at the same time share one lookup. A resolver that
//! hangs thus holds one thread for each host and port, and no caller waits for it beyond its own deadline. No answer is
//! cached.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::{error, fmt, io, thread};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline};

/// Why a host name gave no address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// No answer came by the deadline.
    TimedOut,
    /// The lookup failed, with the system's reason.
    Failed(String),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::TimedOut => f.write_str("no name server answered in time"),
            ResolveError::Failed(reason) => f.write_str(reason),
        }
    }
}

impl error::Error for ResolveError {}

/// Looks up the addresses of `host`. The result has at least one. An IP address needs no lookup.
///
/// ```
/// use std::time::Duration;
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let deadline = SystemClock.deadline(Duration::from_secs(5));
/// assert_eq!(zc_events_net::resolve("127.0.0.1", 5672, &SystemClock, deadline)?, ["127.0.0.1:5672".parse()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ResolveError`], at the deadline at the latest.
pub fn resolve(host: &str, port: u16, clock: &dyn Clock, deadline: Deadline) -> Result<Vec<SocketAddr>, ResolveError> {
    static SYSTEM: LazyLock<Resolver> =
        LazyLock::new(|| Resolver::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())));
    SYSTEM.resolve(host, port, clock, deadline)
}

type Answer = Result<Vec<SocketAddr>, String>;
type LookupFn = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type HostAndPort = (String, u16);

struct Resolver {
    lookup: Arc<LookupFn>,
    running: Arc<Mutex<HashMap<HostAndPort, PendingLookup>>>,
}

/// A lookup that is running.
#[derive(Clone)]
struct PendingLookup {
    answer: Arc<OnceLock<Answer>>,
    /// Disconnects when the lookup has ended.
    ended: Receiver<()>,
}

impl Resolver {
    fn new(lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), running: Arc::default() }
    }

    fn resolve(
        &self,
        host: &str,
        port: u16,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let lookup = self.join_or_start((host.to_owned(), port));
        if receive(clock, &lookup.ended, deadline) == Err(RecvTimeoutError::Timeout) {
            return Err(ResolveError::TimedOut);
        }
        // A lookup that panicked has left no answer.
        let answer = lookup.answer.get().cloned();
        answer.unwrap_or_else(|| Err("the resolver failed".to_owned())).map_err(ResolveError::Failed)
    }

    fn join_or_start(&self, target: HostAndPort) -> PendingLookup {
        let mut running = lock(&self.running);
        if let Some(lookup) = running.get(&target) {
            return lookup.clone();
        }
        let (end, ended) = bounded(0);
        let pending = PendingLookup { answer: Arc::default(), ended };
        running.insert(target.clone(), pending.clone());
        drop(running);
        let end = LookupEnd { target, running: Arc::clone(&self.running), _end: end };
        let (lookup, answer) = (Arc::clone(&self.lookup), Arc::clone(&pending.answer));
        // `end` is dropped, and every caller woken, when the thread ends and when it cannot be started.
        let started = thread::Builder::new().name("zc-events-resolve".to_owned()).spawn(move || {
            let (host, port) = &end.target;
            let found = match lookup(host, *port) {
                Ok(addresses) if addresses.is_empty() => Err("it has no address".to_owned()),
                Ok(addresses) => Ok(addresses),
                Err(error) => Err(error.to_string()),
            };
            let _ = answer.set(found);
        });
        if let Err(error) = started {
            let _ = pending.answer.set(Err(error.to_string()));
        }
        pending
    }
}

/// Ends a lookup when it is dropped: the next caller starts a new one, and the callers that wait are woken.
struct LookupEnd {
    target: HostAndPort,
    running: Arc<Mutex<HashMap<HostAndPort, PendingLookup>>>,
    /// Dropped after the entry in `running` is gone.
    _end: Sender<()>,
}

impl Drop for LookupEnd {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.target);
    }
}

fn lock(running: &Mutex<HashMap<HostAndPort, PendingLookup>>) -> MutexGuard<'_, HashMap<HostAndPort, PendingLookup>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use zc_events_protocol::SystemClock;

    fn within(millis: u64) -> Deadline {
        SystemClock.deadline(Duration::from_millis(millis))
    }

    #[test]
    fn a_hanging_lookup_is_shared_and_holds_no_caller_beyond_its_deadline() {
        let (release, released) = bounded::<()>(0);
        let lookups = Arc::new(AtomicUsize::new(0));
        let resolver = Resolver::new({
            let lookups = Arc::clone(&lookups);
            move |host, port| {
                lookups.fetch_add(1, Ordering::SeqCst);
                if host == "hangs.invalid" {
                    let _ = released.recv();
                }
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
            }
        });
        for _ in 0..3 {
            let timed_out = resolver.resolve("hangs.invalid", 1, &SystemClock, within(20));
            assert_eq!(timed_out, Err(ResolveError::TimedOut));
        }
        assert!(resolver.resolve("other.invalid", 2, &SystemClock, within(20_000)).is_ok(), "another host");
        assert_eq!(lookups.load(Ordering::SeqCst), 2);
        drop(release);
        assert!(resolver.resolve("hangs.invalid", 1, &SystemClock, within(20_000)).is_ok());
        while !lock(&resolver.running).is_empty() {
            thread::yield_now();
        }
    }

    #[test]
    fn a_failure_is_reported_and_the_next_call_looks_up_again() {
        let calls = AtomicUsize::new(0);
        let resolver = Resolver::new(move |_, port| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(io::Error::other("no such name")),
            1 => Ok(Vec::new()),
            2 => panic!("a resolver that panics"),
            _ => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
        });
        let resolve = || resolver.resolve("name.invalid", 1, &SystemClock, within(20_000));
        for expected in ["no such name", "it has no address", "the resolver failed"] {
            assert_eq!(resolve(), Err(ResolveError::Failed(expected.to_owned())));
        }
        assert!(resolve().is_ok());
    }

    #[test]
    fn an_ip_address_needs_no_lookup() {
        let resolver = Resolver::new(|_, _| panic!("asked"));
        let addresses = resolver.resolve("::1", 7, &SystemClock, within(0)).unwrap();
        assert_eq!(addresses, ["[::1]:7".parse().unwrap()]);
    }
}

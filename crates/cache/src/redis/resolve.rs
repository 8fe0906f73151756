//! Turns the host of a URL into addresses by a deadline. The system's resolver knows no
//! deadline, so it runs on a thread of its own, one at a time for each store; a resolver
//! that hangs keeps that one thread until it gives up, and nobody waits for it longer
//! than his own deadline. Nothing is remembered: a name that moves is found anew.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use zc_events_protocol::clock::receive;
use zc_events_protocol::{Clock, Deadline};

type Answer = Result<Vec<SocketAddr>, String>;
type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

pub(super) struct Resolver {
    host: String,
    port: u16,
    lookup: Arc<Lookup>,
    /// Who waits for the lookup that is running.
    waiting: Arc<Mutex<Vec<Sender<Answer>>>>,
}

pub(super) enum Unresolved {
    TimedOut,
    /// What the system says.
    Failed(String),
}

impl Resolver {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self::with(host, port, Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())))
    }

    fn with(host: &str, port: u16, lookup: Arc<Lookup>) -> Self {
        Self { host: host.to_owned(), port, lookup, waiting: Arc::default() }
    }

    /// The addresses, at least one.
    pub(super) fn resolve(&self, clock: &dyn Clock, deadline: Deadline) -> Result<Vec<SocketAddr>, Unresolved> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let (sender, receiver) = bounded(1);
        let first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(sender);
            waiting.len() == 1
        };
        if first {
            self.start();
        }
        match receive(clock, &receiver, deadline) {
            Ok(answer) => answer.map_err(Unresolved::Failed),
            Err(RecvTimeoutError::Timeout) => Err(Unresolved::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(Unresolved::Failed("the resolver failed".to_owned())),
        }
    }

    fn start(&self) {
        let (host, port, lookup) = (self.host.clone(), self.port, Arc::clone(&self.lookup));
        let everybody = Everybody(Arc::clone(&self.waiting));
        let started = thread::Builder::new().name("zc-events-resolve".to_owned()).spawn(move || {
            let answer = match lookup(&host, port) {
                Ok(addresses) if addresses.is_empty() => Err("it has no address".to_owned()),
                Ok(addresses) => Ok(addresses),
                Err(error) => Err(error.to_string()),
            };
            everybody.tell(&answer);
        });
        if let Err(error) = started {
            Everybody(Arc::clone(&self.waiting)).tell(&Err(error.to_string()));
        }
    }
}

/// Those who wait; a panic of the lookup ends their waiting too.
struct Everybody(Arc<Mutex<Vec<Sender<Answer>>>>);

impl Everybody {
    fn tell(&self, answer: &Answer) {
        for sender in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Whoever is past his deadline has gone.
            let _ = sender.try_send(answer.clone());
        }
    }
}

impl Drop for Everybody {
    fn drop(&mut self) {
        if thread::panicking() {
            self.tell(&Err("the resolver failed".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use zc_events_protocol::SystemClock;

    #[test]
    fn a_resolver_that_hangs_is_asked_once_and_keeps_nobody() {
        let (release, released) = bounded::<()>(0);
        let asked = Arc::new(AtomicUsize::new(0));
        let resolver = Resolver::with("name.invalid", 1, {
            let asked = Arc::clone(&asked);
            Arc::new(move |_, port| {
                asked.fetch_add(1, Ordering::SeqCst);
                let _ = released.recv();
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
            })
        });
        let resolve = |millis| resolver.resolve(&SystemClock, SystemClock.deadline(Duration::from_millis(millis)));
        for _ in 0..3 {
            assert!(matches!(resolve(20), Err(Unresolved::TimedOut)));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        drop(release);
        assert!(resolve(5000).is_ok());
    }

    #[test]
    fn a_failure_is_told_and_does_not_last() {
        let calls = AtomicUsize::new(0);
        let resolver = Resolver::with(
            "name.invalid",
            1,
            Arc::new(move |_, port| match calls.fetch_add(1, Ordering::SeqCst) {
                0 => Err(io::Error::other("no such name")),
                1 => Ok(Vec::new()),
                2 => panic!("a resolver that panics"),
                _ => Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
            }),
        );
        let resolve = || resolver.resolve(&SystemClock, SystemClock.deadline(Duration::from_secs(5)));
        for expected in ["no such name", "it has no address", "the resolver failed"] {
            let Err(Unresolved::Failed(why)) = resolve() else { panic!("expected {expected}") };
            assert_eq!(why, expected);
        }
        assert!(resolve().is_ok());
    }

    #[test]
    fn an_address_needs_no_thread() {
        let resolver = Resolver::with("::1", 7, Arc::new(|_, _| panic!("asked")));
        let addresses = resolver.resolve(&SystemClock, SystemClock.deadline(Duration::ZERO)).ok().unwrap();
        assert_eq!(addresses, ["[::1]:7".parse().unwrap()]);
    }
}

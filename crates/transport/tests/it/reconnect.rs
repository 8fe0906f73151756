//! A broker that refuses, or is not there: how often it is asked, what callers are told,
//! and what is left of a handle that is dropped.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use test_support::in_own_process;
use zc_events_protocol::{Clock, Deadline, Outcome, Properties, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, Error, Outgoing, Result};

fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(10))
}

fn send(broker: &AmqpBroker, deadline: Deadline) -> Result<()> {
    let properties = Properties::default();
    let message = Outgoing { exchange: "", routing_key: "q", mandatory: true, properties: &properties, body: b"x" };
    broker.send(&message, deadline)?.wait(deadline)
}

fn threads_of_ours() -> Vec<String> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("zc-events") || name.starts_with("r2d2")).collect()
}

/// Counts who connects, reads a little, and hangs up.
fn refusing() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://app:canary@{}/", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = client.read(&mut [0; 8]);
        }
    });
    (url, asked)
}

/// In a process of its own, since it counts the threads of the process.
#[test]
fn dead_broker_is_dialled_at_a_limited_rate_and_no_thread_leaks() {
    in_own_process(|| {
        many_callers_of_a_dead_broker();
    });
}

fn many_callers_of_a_dead_broker() {
    let (url, asked) = refusing();
    let broker = AmqpBroker::new(AmqpOptions::new(url.parse().unwrap())).unwrap();

    let started = Instant::now();
    let error = send(&broker, soon()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "the first caller is told at once");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error:?}");

    let period = Duration::from_secs(2);
    let failures = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                while started.elapsed() < period {
                    match send(&broker, soon()) {
                        Err(error) => {
                            assert_eq!(error.outcome(), Outcome::NotSent, "{error:?}");
                            failures.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(()) => panic!("a send succeeded without a broker"),
                    }
                }
            });
        }
    });
    let asked = asked.load(Ordering::SeqCst);
    // Ten attempts a second, and each may have to try the login twice.
    assert!(asked <= 60, "{asked} connections in {:?}", started.elapsed());
    assert!(asked > 5, "only {asked} connections in {:?}", started.elapsed());
    assert!(failures.load(Ordering::SeqCst) >= 50);

    // Who is in haste gets the reason, and not just that time is up.
    let reason = send(&broker, soon()).unwrap_err().to_string();
    let error = send(&broker, SystemClock.deadline(Duration::from_millis(1))).unwrap_err();
    assert!(error.to_string() == reason || error.is_timeout(), "{error:?}");
    let health = broker.health();
    assert!(!health.connected && health.connections == 0 && health.unconfirmed == 0, "{health:?}");
    assert!(health.last_error.is_some() && health.last_error_at.is_some());
    assert!(!format!("{health:?}").contains("canary"));

    broker.close(soon()).unwrap();
    assert!(matches!(send(&broker, soon()), Err(Error::Closed)));
    drop(broker);
    let patience = Instant::now() + Duration::from_secs(10);
    while !threads_of_ours().is_empty() {
        assert!(Instant::now() < patience, "{:?}", threads_of_ours());
        thread::yield_now();
    }
}

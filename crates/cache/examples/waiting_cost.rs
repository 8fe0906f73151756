//! Measures what an awaited answer costs, on a Redis of your own:
//!
//! ```text
//! redis-server --port 7777 --save '' & cargo run --release -p zc-events-cache --example waiting_cost -- 7777 $!
//! ```
//!
//! Callers wait for an answer each, again and again; one thread pushes each answer some time after its caller began to
//! wait. CPU is that of the callers and of the store's own threads, without the pusher, and that of the server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BinaryHeap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use zc_events_cache::ReplyStore;
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_protocol::{Clock, Deadline, SystemClock};

const RUN: Duration = Duration::from_secs(4);
const PUSHER: &str = "pusher";
const TTL: Duration = Duration::from_secs(60);

/// An answer that is due: when, and its key.
type Due = std::cmp::Reverse<(Instant, String)>;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().expect("the port of a Redis server");
    let server: u32 = arguments.next().and_then(|pid| pid.parse().ok()).expect("its process id");
    println!("waiters  answers/s  client us  server us  p50 us  p99 us");
    // Waiters, and how many answers a second they get altogether; 0 for as many as there can be.
    for (waiters, rate) in [(1, 1000), (16, 2000), (256, 2000), (256, 0), (2000, 2000)] {
        measure(&port, server, waiters, rate);
    }
}

fn store(port: &str) -> RedisReplyStore {
    let url = RedisUrl::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
    let mut options = RedisOptions::new(url, Arc::new(SystemClock));
    if let Some(size) = std::env::var("POOL").ok().and_then(|size| size.parse().ok()) {
        options.pool_size = size;
    }
    RedisReplyStore::new(options).unwrap()
}

fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(30))
}

fn measure(port: &str, server: u32, waiters: u32, rate: u32) {
    let delay = if rate == 0 { Duration::ZERO } else { Duration::from_secs(1) * waiters / rate };
    let (due, pushes) = unbounded();
    let (store, pushing) = (store(port), store(port));
    let (over, taken) = (AtomicBool::new(false), unbounded());
    thread::scope(|scope| {
        let pusher = thread::Builder::new().name(PUSHER.to_owned());
        pusher.spawn_scoped(scope, || push(&pushing, &pushes)).unwrap();
        for waiter in 0..waiters {
            let (store, due, over, taken) = (&store, due.clone(), &over, taken.0.clone());
            scope.spawn(move || wait(store, waiter, delay, &due, over, &taken));
        }
        drop(due);
        // The first answers open connections and start threads.
        let _ = taken.1.iter().take(waiters as usize * 2).count();
        let (before, start) = ([cpu(std::process::id()), cpu(server)], Instant::now());
        let mut delays: Vec<Duration> = Vec::new();
        while start.elapsed() < RUN {
            delays.extend(taken.1.recv());
        }
        let (after, ran) = ([cpu(std::process::id()), cpu(server)], start.elapsed());
        over.store(true, Ordering::SeqCst);
        delays.sort();
        let each = |which: usize| (after[which] - before[which]).as_secs_f64() * 1e6 / delays.len() as f64;
        let at = |share: f64| delays[(delays.len() as f64 * share) as usize].as_micros();
        println!(
            "{waiters:7}  {:9.0}  {:9.1}  {:9.1}  {:6}  {:6}{}",
            delays.len() as f64 / ran.as_secs_f64(),
            each(0),
            each(1),
            at(0.5),
            at(0.99),
            if rate == 0 { "  saturated" } else { "" },
        );
    });
}

fn wait(
    store: &RedisReplyStore,
    waiter: u32,
    delay: Duration,
    due: &Sender<Due>,
    over: &AtomicBool,
    taken: &Sender<Duration>,
) {
    for round in 0_u32.. {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let key = format!("zc-waiters-{}-{waiter}-{round}", std::process::id());
        // Spread over twice the delay, by a cheap hash.
        let spread = waiter.wrapping_mul(0x9E37_79B9).wrapping_add(round.wrapping_mul(0x85EB_CA6B)) >> 16;
        let when = Instant::now() + delay * 2 * spread / 65_536;
        due.send(std::cmp::Reverse((when, key.clone()))).unwrap();
        let (_, value) = store.pop(&[&key], soon()).unwrap().unwrap();
        let pushed = Duration::from_nanos(u64::from_le_bytes(value.try_into().unwrap()));
        let _ = taken.send(since_start().saturating_sub(pushed));
    }
}

/// Time since the process began to measure, which both sides can tell.
fn since_start() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn push(store: &RedisReplyStore, pushes: &Receiver<Due>) {
    let mut waiting: BinaryHeap<Due> = BinaryHeap::new();
    loop {
        let next = waiting.peek().map_or(Instant::now() + RUN, |due| due.0.0);
        match pushes.recv_deadline(next) {
            Ok(due) => waiting.push(due),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => thread::yield_now(),
        }
        while let Some(due) = waiting.pop() {
            if due.0.0 > Instant::now() {
                waiting.push(due);
                break;
            }
            let now = u64::try_from(since_start().as_nanos()).unwrap();
            store.push(&due.0.1, &now.to_le_bytes(), TTL, soon()).unwrap();
        }
    }
}

/// The time on a processor that the threads of a process have had, those that push left out.
fn cpu(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let nanos = threads.filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split(' ').next()?.parse::<u64>().ok().filter(|_| name.trim() != PUSHER)
    });
    Duration::from_nanos(nanos.sum())
}

//! The reply store on a real Redis under load and through a network that fails: more callers than connections, connections
//! cut and stalled. Run by `cargo xtask integration`.
//!
//! The network is a proxy in this process, so that other users of the server notice nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::proxy::{Ending, Mode, Proxy, Way};
use integration_tests::scheduler_delay::{DelayMonitor, SchedulerDelay};
use integration_tests::{eventually, redis_url, unique};
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_cache::{Error, ReplyStore};
use zc_events_protocol::{Clock, Deadline, Stage, SystemClock};

use crate::alone;

const TTL: Duration = Duration::from_secs(60);
const CALLERS: usize = 200;
const POOL: u32 = 8;
/// How late the slowest of all calls may end, beside the machine's own lateness.
const ALL: Duration = Duration::from_millis(500);

fn within(millis: u64) -> Deadline {
    SystemClock.deadline(Duration::from_millis(millis))
}

fn store(url: &str) -> RedisReplyStore {
    let mut options = RedisOptions::new(RedisUrl::parse(url).unwrap(), Arc::new(SystemClock));
    options.pool_size = POOL;
    RedisReplyStore::new(options).unwrap()
}

/// A proxy before Redis, and the URL that leads through it.
fn proxy() -> (Proxy, String) {
    Proxy::before(&redis_url()).unwrap()
}

/// How late `call` ended, and its result.
fn timed<T>(deadline: Deadline, call: impl FnOnce() -> T) -> (Duration, T) {
    let result = call();
    (Instant::now().saturating_duration_since(deadline.instant()), result)
}

/// How late this machine is from now on.
fn delay() -> SchedulerDelay {
    static MONITOR: LazyLock<DelayMonitor> = LazyLock::new(DelayMonitor::start);
    MONITOR.delay()
}

/// All end by [`ALL`].
fn on_time(late: &[Duration], machine: &SchedulerDelay) {
    let worst = late.iter().max().copied().unwrap_or_default();
    assert!(worst <= ALL + machine.worst(), "one ended {worst:?} late, the machine is {:?}", machine.worst());
}

#[test]
fn two_hundred_callers_on_eight_connections_get_their_own_answers() {
    let _alone = alone();
    let machine = delay();
    let store = store(&redis_url());
    let pushing = store.clone();
    let keys: Vec<String> = (0..CALLERS).map(|_| unique("zc-many")).collect();
    for _ in 0..5 {
        thread::scope(|scope| {
            let waiting: Vec<_> =
                keys.iter().map(|key| scope.spawn(|| (store.pop(&[key], within(20_000)), Instant::now()))).collect();
            eventually(Duration::from_secs(20), || pushing.health().waiting == CALLERS);
            let mut pushed = Vec::new();
            for key in keys.iter().rev() {
                pushing.push(key, key.as_bytes(), TTL, within(20_000)).unwrap();
                pushed.push(Instant::now());
            }
            let mut delays = Vec::new();
            for ((key, thread), pushed) in keys.iter().zip(waiting).zip(pushed.into_iter().rev()) {
                let (found, ended) = thread.join().unwrap();
                assert_eq!(found.unwrap(), Some((key.clone(), key.clone().into_bytes())));
                delays.push(ended.saturating_duration_since(pushed));
            }
            on_time(&delays, &machine);
        });
    }
}

#[test]
fn two_hundred_callers_without_a_reply_end_on_time() {
    let _alone = alone();
    let machine = delay();
    let store = store(&redis_url());
    store.ping(within(20_000)).unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let (key, deadline) = (unique("zc-many"), within(1_500));
                    timed(deadline, || store.pop(&[&key], deadline))
                })
            })
            .collect();
        let ended: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
        // On a busy machine, Redis may be late.
        let is_late = |result: &Result<_, Error>| result.as_ref().is_err_and(Error::is_timeout);
        assert!(ended.iter().all(|(_, result)| matches!(result, Ok(None)) || is_late(result)), "{ended:?}");
        assert!(ended.iter().any(|(_, result)| matches!(result, Ok(None))), "{ended:?}");
        on_time(&Vec::from_iter(ended.into_iter().map(|(late, _)| late)), &machine);
    });
}

#[test]
fn reply_that_races_the_timeout_is_there_for_the_next_call() {
    let _alone = alone();
    let store = store(&redis_url());
    thread::scope(|scope| {
        for caller in 0..40_u64 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..20_u64 {
                    let key = unique("zc-late");
                    let deadline = within(20 + (caller + round) % 7);
                    thread::scope(|scope| {
                        scope.spawn(|| {
                            // Pushed within a few milliseconds of the deadline, on either side.
                            let alarm = SystemClock.at(deadline.instant());
                            let _ = alarm.recv();
                            store.push(&key, b"v", TTL, within(20_000)).unwrap();
                        });
                        let found = match store.pop(&[&key], deadline) {
                            Ok(Some(found)) => found,
                            // On a busy machine, the server or the new connection is late for such a deadline.
                            Ok(None) | Err(Error::Timeout { .. }) => {
                                store.pop(&[&key], within(20_000)).unwrap().expect("the answer is lost")
                            }
                            Err(other) => panic!("{other}"),
                        };
                        assert_eq!(found.1, b"v");
                    });
                }
            });
        }
    });
    assert_eq!(store.health().lost, 0);
}

#[test]
fn cut_connections_give_an_answer_or_an_error_and_never_another_callers_answer() {
    let _alone = alone();
    let machine = delay();
    let (proxy, url) = proxy();
    let (store, direct) = (store(&url), store(&redis_url()));
    let (answered, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let key = unique("zc-cut");
                        direct.push(&key, key.as_bytes(), TTL, within(20_000)).unwrap();
                        let deadline = within(300);
                        let (late, result) = timed(deadline, || store.pop(&[&key], deadline));
                        on_time(&[late], &machine);
                        match result {
                            Ok(Some((found, value))) => {
                                assert_eq!((&found, value.as_slice()), (&key, key.as_bytes()));
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(None) | Err(Error::Timeout { .. } | Error::Unavailable { .. }) => {
                                failed.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        let cutting = scope.spawn(|| {
            let mut cuts = 0;
            while !over.load(Ordering::SeqCst) {
                // Some calls succeed between two cuts, however slow the machine is.
                let next = answered.load(Ordering::Relaxed) + 10;
                eventually(Duration::from_secs(60), || {
                    answered.load(Ordering::Relaxed) >= next || over.load(Ordering::SeqCst)
                });
                proxy.cut_all(Ending::Fin);
                cuts += 1;
            }
            cuts
        });
        for caller in callers {
            caller.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
        assert!(cutting.join().unwrap() > 10);
    });
    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    assert_eq!(answered + failed, 4000);
    assert!(answered > 0 && failed > 0, "{answered} answered, {failed} failed");
    // The next call works after the last cut.
    store.ping(within(5_000)).unwrap();
}

#[test]
fn a_stalled_server_crosses_no_answers_and_holds_no_caller() {
    let _alone = alone();
    let machine = delay();
    let (proxy, url) = proxy();
    let (store, direct) = (store(&url), store(&redis_url()));
    store.ping(within(20_000)).unwrap();
    for _ in 0..3 {
        proxy.set(Way::Both, Mode::Hold);
        let keys: Vec<String> = (0..CALLERS).map(|_| unique("zc-stall")).collect();
        let late: Vec<Duration> = thread::scope(|scope| {
            let waiting: Vec<_> = keys
                .iter()
                .map(|key| {
                    scope.spawn(|| {
                        direct.push(key, key.as_bytes(), TTL, within(20_000)).unwrap();
                        let deadline = within(700);
                        let (late, result) = timed(deadline, || store.pop(&[key], deadline));
                        assert!(matches!(result, Ok(None) | Err(Error::Timeout { .. } | Error::Unavailable { .. })));
                        late
                    })
                })
                .collect();
            waiting.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        on_time(&late, &machine);
        proxy.set(Way::Both, Mode::Pass);
        // Late answers of this round must not reach callers of the next.
        for key in &keys {
            match store.pop(&[key], within(1_000)) {
                Ok(Some((found, value))) => assert_eq!((&found, value.as_slice()), (key, key.as_bytes())),
                Ok(None) | Err(Error::Timeout { .. } | Error::Unavailable { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_push_without_a_free_connection_names_the_pool() {
    let _alone = alone();
    let machine = delay();
    let (proxy, url) = proxy();
    let store = store(&url);
    store.ping(within(20_000)).unwrap();
    proxy.set(Way::Both, Mode::Hold);
    // All have one deadline: a later one would get the permit of a call that has left.
    let deadline = within(1_000);
    let ended: Vec<(Duration, Stage)> = thread::scope(|scope| {
        let pushing: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let push = || store.push(&unique("zc-full"), b"v", TTL, deadline).unwrap_err();
                    match timed(deadline, push) {
                        (late, Error::Timeout { stage }) => (late, stage),
                        (_, other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        pushing.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let of_the_pool = ended.iter().filter(|(_, stage)| *stage == Stage::Pool).count();
    assert!(of_the_pool >= CALLERS - POOL as usize, "{of_the_pool}");
    on_time(&Vec::from_iter(ended.into_iter().map(|(late, _)| late)), &machine);
    proxy.set(Way::Both, Mode::Pass);
    store.push(&unique("zc-full"), b"v", TTL, within(5_000)).unwrap();
}

#[test]
fn after_a_cut_the_first_call_works_and_health_shows_both() {
    let _alone = alone();
    let (proxy, url) = proxy();
    let store = store(&url);
    let key = unique("zc-back");
    for _ in 0..20 {
        store.push(&key, b"v", TTL, within(5_000)).unwrap();
        assert!(store.pop(&[&key], within(5_000)).unwrap().is_some());
        assert_eq!(store.health().reachable, Some(true));
        proxy.cut_all(Ending::Fin);
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pop(&[&key], within(20_000)));
        // A cut before the BLPOP is sent goes unnoticed; a later one does not.
        eventually(Duration::from_secs(20), || {
            proxy.cut_all(Ending::Fin);
            waiting.is_finished()
        });
        assert!(matches!(waiting.join().unwrap(), Err(Error::Unavailable { .. })));
    });
    assert_eq!(store.health().reachable, Some(false));
    store.push(&key, b"v", TTL, within(5_000)).unwrap();
    assert_eq!(store.health().reachable, Some(true));
    assert!(store.health().last_error.is_some_and(|what| what.contains("may have been taken and lost")));
}

#[test]
fn a_refused_key_fails_no_other_waiting_call() {
    let _alone = alone();
    let store = store(&redis_url());
    let (keys, record) = ((0..30).map(|_| unique("zc-type")).collect::<Vec<_>>(), unique("zc-type"));
    store.claim(&record, "owner", TTL, within(20_000)).unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> = keys.iter().map(|key| scope.spawn(|| store.pop(&[key], within(20_000)))).collect();
        eventually(Duration::from_secs(20), || store.health().waiting == keys.len());
        // Each connection has waiting calls: this one shares a connection with some.
        let refused = store.pop(&[&record], within(20_000));
        assert!(matches!(&refused, Err(Error::Rejected { why }) if why.contains("something else")), "{refused:?}");
        for key in &keys {
            store.push(key, key.as_bytes(), TTL, within(20_000)).unwrap();
        }
        for (key, thread) in keys.iter().zip(waiting) {
            assert_eq!(thread.join().unwrap().unwrap().unwrap().1, key.as_bytes());
        }
    });
}

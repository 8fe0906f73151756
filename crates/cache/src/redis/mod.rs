//! The reply store on Redis, with an r2d2 pool and the codec of r2d2_redis. No type of either appears in the API.
//!
//! # Connections
//!
//! The manager of r2d2_redis cannot keep a deadline (no timeout on AUTH, SELECT, or a reply that drips), lends a connection
//! whose last reply is still missing, and sends PING at each checkout. So the pool has a manager of its own:
//!
//! - A connection is a socket with the encoding of the redis crate. Each read and write waits for the time that is left until
//!   the caller's deadline. Only whole replies to all commands leave a connection clean; r2d2 drops every other connection
//!   when it is returned. Replies are bounded in size and nesting before they are parsed.
//! - r2d2 holds, counts and drops the connections. It would dial them on threads of its own, again and again while a server is
//!   down, and a caller would learn only that it timed out. So a new connection is dialled by the caller that borrows it, by
//!   the caller's deadline. The caller gets the true reason at once: nothing listens, wrong password, no such database.
//!   Nothing connects in the background. r2d2 lends in no order; a fair semaphore in front of it serves callers in turn.
//! - At checkout, a connection that the server closed is noticed without a round trip. A connection that was idle for 15 s
//!   must answer PING.
//! - Calls that wait for answers have a pool of their own, so pushes never wait for them. A thread for each of its connections
//!   waits for the answers of the calls that share the connection. Up to the pool's size, each call has a connection to itself;
//!   beyond it calls share, and none queues.
//! - A call that waits ends at its deadline, whatever the server does. An answer that was taken for it too late is put back
//!   for the next call that asks (with a ttl of a minute, because Redis forgets the ttl of a value that it hands out). An
//!   answer that cannot be put back is logged and counted.
//!
//! # Permissions
//!
//! The user of the URL needs `PING`, `MULTI`, `EXEC`, `RPUSH`, `LPUSH`, `EXPIRE`, `BLPOP`, `LPOP` for answers; `EVAL`, `GET`,
//! `SET`, `PTTL`, `PEXPIRE` and `DEL` for records; on their keys, and on `zc-events-wake-*`, the wake channels of shared
//! connections. Without those keys a shared connection looks every 50 ms instead, and a call that is the second on its
//! connection may get its answer up to a second late. `INFO` and `TIME` are for diagnosis, which knows less without them.
//!
//! # What is not bounded
//!
//! The system's name resolution knows no deadline. The caller returns in time; the thread of the lookup stays until the
//! resolver gives up. Sockets wait in real time, whatever the clock.
//!
//! # Log
//!
//! At `debug`: connections made, failed and found dead, with the URL without its password. At `warn`: the server is
//! unreachable (once, until it answers again), an answer could not be put back, unknown parameters in a URL. At `info`: the
//! server answers again. No level shows keys, values or passwords.

mod blpop;
mod connection;
mod connector;
mod error_mapping;
mod fair_semaphore;
#[cfg(test)]
mod fake_server;
mod health_tracker;
mod io_failure;
mod lpop_many;
mod options;
mod pool;
mod probe;
mod record_scripts;
#[cfg(test)]
mod regression_tests;
mod reply_scanner;
mod reply_store;
mod server_info;
mod shared_waiter;
mod shared_waiters;
mod socket_timeouts;
mod url;
mod waiter_state;
mod waiter_thread;

pub use options::RedisOptions;
pub use probe::{RedisProbe, probe};
pub use reply_store::RedisReplyStore;
pub use url::RedisUrl;
pub use zc_events_net::{ConnectFailure, ConnectStep, ConnectTrace};

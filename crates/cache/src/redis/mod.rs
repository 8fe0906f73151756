//! The reply store on Redis, through the pool and the codec that r2d2_redis brings. No type
//! of either appears in the API.
//!
//! # How connections are kept
//!
//! r2d2_redis's own manager cannot keep a deadline (no timeout on AUTH, SELECT or an answer
//! that drips), lends a connection on which an answer is still owed, and asks PING on each
//! checkout; r2d2 connects on threads of its own, again and again while a server is down,
//! and tells a caller only that he timed out. So:
//!
//! - A connection is a socket with the redis crate's encoding on it. Each read and write
//!   waits for what is left until the caller's deadline; anything but whole answers to all
//!   questions marks it as broken, and it is never lent again. Answers are bounded in size and
//!   nesting before they are parsed.
//! - r2d2 lends places for connections. Who borrows an empty place connects it in his own
//!   thread, by his own deadline, and gets the true reason at once when that fails: nobody
//!   listens, wrong password, no such database. Nothing connects in the background.
//! - A connection that the server closed is noticed at checkout without a round trip; one
//!   that was idle for 15 s is asked PING.
//! - Calls that wait for an answer have a pool of their own, so pushing never waits for them.
//!   As many as it has connections wait on one each. The others share one more, on which a thread
//!   waits for all their keys: each gets his answer as soon as it is there, and nobody queues.
//! - A call that waits ends at its deadline, whatever the server does. An answer that was
//!   taken for it too late is put back for whoever asks next (with a ttl of a minute; Redis forgets the
//!   one it had); where that fails, it is logged and counted.
//!
//! # What the user of the URL must be allowed
//!
//! `PING`, `MULTI`, `EXEC`, `RPUSH`, `LPUSH`, `EXPIRE`, `BLPOP`, `LPOP` for answers; `EVAL`, `GET`, `SET`,
//! `PTTL`, `PEXPIRE` and `DEL` for records; on their keys, and on `zc-events-wake-*`, which wakes the
//! shared connection. Without that key the shared connection looks every 50 ms instead. `INFO` and `TIME`
//! are for diagnosis; without them less is known.
//!
//! # What is not bounded
//!
//! Looking up a host name: the system's resolver knows no deadline. The caller returns in
//! time, the resolver's thread (at most one for each store) stays until it gives up.
//! Sockets wait in real time, whatever the clock.
//!
//! # What is logged
//!
//! At `debug`: connections made, failed and found dead, with the URL without its password; at
//! `warn`: that the server is lost (once, until it is back), that an answer could not be put back,
//! unknown parameters in a URL; at `info`: that the server answers again. Never keys, values or
//! passwords, at no level.

mod commands;
mod connect;
mod crowd;
mod frame;
mod gate;
mod inspect;
mod late;
mod link;
mod options;
mod pool;
mod reach;
mod records;
mod refusal;
mod resolve;
mod store;
mod sweep;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod traps;
mod trust;
mod url;
mod watch;

/// What a waiting call does, in words for its errors.
const WAITING: &str = "waiting for an answer, which may have been taken and lost,";

pub use options::RedisOptions;
pub use reach::{Hurdle, Obstacle, Reach, reach};
pub use store::RedisReplyStore;
pub use url::RedisUrl;

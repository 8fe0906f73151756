//! Faults injected into private servers, and what became of every message: `cargo xtask chaos`.
//!
//! `rows` has one file for each fault. A row gets a `scene` (the servers, proxies, children) and writes what it saw into
//! a `report`; `table` prints it. `ledger` knows what became of each message, `sleeper` how late this machine is.

mod alarm;
mod callers;
mod child;
mod crowd;
mod failing;
mod held;
mod ledger;
mod letter;
mod load;
mod panics;
mod plain;
mod process;
mod redis;
mod report;
mod row;
mod rows;
mod run;
mod scene;
mod sleeper;
mod table;
mod toxins;
mod worker;

pub use crate::proxy::{Ending, Mode, Proxy, Way};
pub use alarm::Alarm;
pub use child::{Child, say};
pub use ledger::Ledger;
pub use load::Load;
pub use plain::Plain;
pub use process::{Panics, descriptors, pipe_ends, resident_kib, threads};
pub use redis::Redis;
pub use report::Report;
pub use row::{Done, Row};
pub use run::{Options, run};
pub use scene::Scene;
pub use sleeper::{Lateness, Sleeper};

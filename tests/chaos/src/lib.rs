//! Faults injected into private servers, and what became of every message: `cargo xtask chaos`.
//!
//! `rows` has one file for each fault. A row gets a `fixture` (servers, proxies, child processes) and writes its findings
//! into a `report`; `table` prints it. `ledger` records what became of each message.

#![allow(missing_debug_implementations, reason = "not published: only the tests of this workspace use it")]

mod blocked_retries;
mod burst;
mod callers;
mod child;
mod dead_letter;
mod failing_service;
mod fixture;
mod ledger;
mod load;
mod malformed;
mod memory_watermark;
mod panics;
mod process_stats;
mod redis_client;
mod report;
mod row;
mod rows;
mod runner;
mod table;
mod worker_process;

pub use child::{Child, say};
pub use fixture::Fixture;
pub use integration_tests::amqp_client::AmqpClient;
pub use integration_tests::proxy::{Ending, Mode, Proxy, Way};
pub use integration_tests::scheduler_delay::{DelayMonitor, SchedulerDelay};
pub use ledger::Ledger;
pub use load::Load;
pub use memory_watermark::MemoryAlarm;
pub use process_stats::{descriptors, pipe_ends, resident_kib, threads};
pub use redis_client::RedisClient;
pub use report::Report;
pub use row::{Done, Row};
pub use runner::{Options, run};

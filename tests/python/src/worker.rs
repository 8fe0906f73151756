//! A Python service: a Celery worker (`worker.py`), and what it tells of what happens in it.

use std::process::Command;
use std::time::Duration;

use r2d2_redis::redis;
use serde_json::Value;

use super::process::{PATIENCE, Process};
use integration_tests::{redis_url, unique, wait_until};

/// A Python service to be started.
pub struct WorkerBuilder {
    command: Command,
    processes: usize,
}

impl WorkerBuilder {
    pub(super) fn new(command: Command) -> Self {
        Self { command, processes: 2 }
    }

    /// `x-max-priority` of its queue, 10 unless set; without it where `None`, as the oldest README has it.
    #[must_use]
    pub fn max_priority(mut self, max: Option<u8>) -> Self {
        self.command.env("QUEUE_MAX_PRIORITY", max.map_or("none".to_owned(), |max| max.to_string()));
        self
    }

    /// How many tasks it runs at once, 2 unless set.
    #[must_use]
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes;
        self
    }

    /// How many messages it takes ahead for each process, 4 unless set.
    #[must_use]
    pub fn prefetch(mut self, multiplier: usize) -> Self {
        self.command.env("PREFETCH_MULTIPLIER", multiplier.to_string());
        self
    }

    /// Handles nothing: tells as `seen` what its tasks are given, whatever it is, the event type first.
    #[must_use]
    pub fn only_tells(mut self) -> Self {
        self.command.env("ONLY_TELLS", "1");
        self
    }

    /// Starts it, and waits until it consumes.
    ///
    /// # Panics
    /// Where it does not.
    #[must_use]
    pub fn start(mut self) -> Worker {
        let records = unique("records");
        let redis = redis::Client::open(redis_url().as_str())
            .and_then(|client| client.get_connection_with_timeout(PATIENCE))
            .unwrap_or_else(|error| panic!("Redis: {error}"));
        self.command.env("RECORDS", &records).args(["worker.py", "--concurrency", &self.processes.to_string()]);
        let process = Process::start(&mut self.command);
        let mut worker = Worker { process, redis, key: records, taken: 0, records: Vec::new() };
        worker.until("it is ready", |records| records.iter().any(|record| record["what"] == "ready"));
        // What came with it stays: its queue may have held messages.
        worker.records.retain(|record| record["what"] != "ready");
        worker
    }
}

/// A running Python service. Dropping it kills it.
pub struct Worker {
    process: Process,
    redis: redis::Connection,
    key: String,
    taken: usize,
    records: Vec<Value>,
}

impl Worker {
    /// Waits until it has told so many things of this kind, in all, and gives them in their order.
    ///
    /// # Panics
    /// Where it has not in time.
    #[track_caller]
    pub fn told(&mut self, what: &str, count: usize) -> Vec<Value> {
        let of_kind = |records: &[Value]| records.iter().filter(|record| record["what"] == what).count();
        self.until(&format!("it has told `{what}` {count} times"), |records| of_kind(records) >= count);
        self.all().into_iter().filter(|record| record["what"] == what).collect()
    }

    /// Everything that it has told.
    pub fn all(&mut self) -> Vec<Value> {
        self.read();
        self.records.clone()
    }

    /// The lines that it wrote beside its records, in no order.
    ///
    /// # Panics
    /// Where Redis does not answer.
    pub fn lines(&mut self) -> Vec<String> {
        let key = format!("{}:lines", self.key);
        redis::cmd("LRANGE").arg(key).arg(0).arg(-1).query(&mut self.redis).unwrap_or_else(|error| panic!("{error}"))
    }

    /// How many of those there are.
    ///
    /// # Panics
    /// Where Redis does not answer.
    pub fn count_of_lines(&mut self) -> usize {
        let key = format!("{}:lines", self.key);
        redis::cmd("LLEN").arg(key).query(&mut self.redis).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.process.runs()
    }

    /// What it last wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.errors()
    }

    /// Stops it as a deploy does: it finishes what it has begun. Whether it ended in time.
    pub fn stop(mut self, patience: Duration) -> bool {
        self.process.stop(patience)
    }

    #[track_caller]
    fn until(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) {
        let waited = wait_until(PATIENCE, || {
            self.read();
            // What ended tells no more.
            (condition(&self.records) || !self.process.runs()).then_some(())
        });
        self.read();
        if waited.is_err() || !condition(&self.records) {
            let ended = if self.process.runs() { "" } else { "; it has ended" };
            panic!("waited until {what}{ended}; it told {:?}\n{}", self.records, self.process.errors());
        }
    }

    fn read(&mut self) {
        let told: Vec<String> = redis::cmd("LRANGE")
            .arg(&self.key)
            .arg(self.taken)
            .arg(-1)
            .query(&mut self.redis)
            .unwrap_or_else(|error| panic!("{error}"));
        self.taken += told.len();
        for record in told {
            let record = serde_json::from_str(&record).unwrap_or_else(|error| panic!("no record: {error}: {record}"));
            self.records.push(record);
        }
    }
}

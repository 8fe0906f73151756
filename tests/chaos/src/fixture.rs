//! The servers of a row, how to break them, and the size of the run.

use std::error::Error;
use std::sync::{Mutex, MutexGuard};

use xtask::test_servers::TestServers;
use zc_events::{Settings, SettingsBuilder};

use super::{AmqpClient, Child, DelayMonitor, Proxy, RedisClient, SchedulerDelay};
use integration_tests::unique;

/// The servers of all rows. Rows run one after another on the same servers, and leave them as they found them.
pub struct Fixture {
    /// Whether this is the quick form.
    pub quick: bool,
    servers: Mutex<TestServers>,
    broker_url: String,
    redis_url: String,
    delay_monitor: DelayMonitor,
}

impl Fixture {
    /// Starts the servers.
    pub(super) fn start(quick: bool) -> Result<Self, String> {
        let servers = TestServers::start()?;
        let (broker_url, redis_url) = (servers.broker_url(), servers.redis_url());
        Ok(Self { quick, servers: Mutex::new(servers), broker_url, redis_url, delay_monitor: DelayMonitor::start() })
    }

    fn servers(&self) -> MutexGuard<'_, TestServers> {
        self.servers.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Chooses an amount: the first in the whole form, the second in the quick form.
    #[must_use]
    pub fn scale(&self, whole: u64, quick: u64) -> u64 {
        if self.quick { quick } else { whole }
    }

    /// RabbitMQ, with its login.
    #[must_use]
    pub fn broker_url(&self) -> &str {
        &self.broker_url
    }

    /// Redis.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// Settings for these servers, with a unique exchange and a unique service name that begin with `name`.
    pub fn settings(&self, name: &str) -> SettingsBuilder {
        Settings::builder()
            .broker_url(&self.broker_url)
            .events_redis_url(&self.redis_url)
            .events_exchange(unique(name))
            .service_name(unique(name))
    }

    /// A proxy in front of RabbitMQ, and its URL.
    ///
    /// # Errors
    /// No port is free.
    pub fn broker_proxy(&self) -> std::io::Result<(Proxy, String)> {
        Proxy::before(&self.broker_url)
    }

    /// A proxy in front of Redis, and its URL.
    ///
    /// # Errors
    /// No port is free.
    pub fn redis_proxy(&self) -> std::io::Result<(Proxy, String)> {
        Proxy::before(&self.redis_url)
    }

    /// A plain AMQP client.
    ///
    /// # Errors
    /// The broker is unreachable.
    pub fn plain(&self) -> Result<AmqpClient, Box<dyn Error>> {
        AmqpClient::open(&self.broker_url)
    }

    /// A plain connection to Redis.
    ///
    /// # Errors
    /// Redis is unreachable.
    pub fn redis(&self) -> Result<RedisClient, Box<dyn Error>> {
        RedisClient::open(&self.redis_url)
    }

    /// Starts this program again, as the `child` of a row.
    ///
    /// # Errors
    /// The error of the system.
    pub fn child(&self, row: &str, environment: &[(&str, String)]) -> std::io::Result<Child> {
        Child::start(row, environment)
    }

    /// Measures the scheduler delay of this machine from now on.
    #[must_use]
    pub fn delay(&self) -> SchedulerDelay {
        self.delay_monitor.delay()
    }

    /// Sends SIGKILL to RabbitMQ.
    pub fn kill_broker(&self) {
        self.servers().kill_broker();
    }

    /// Starts RabbitMQ again with its data. Returns when a plain client can log in and declare a queue, after 5 to 25 s.
    ///
    /// # Errors
    /// The server did not start.
    pub fn start_broker(&self) -> Result<(), String> {
        self.servers().start_broker()
    }

    /// Sends SIGKILL to Redis. All its keys are lost.
    pub fn kill_redis(&self) {
        self.servers().kill_redis();
    }

    /// Starts Redis again, without keys. Returns when it answers.
    ///
    /// # Errors
    /// The server did not start.
    pub fn start_redis(&self) -> Result<(), String> {
        self.servers().start_redis()
    }

    /// Runs `rabbitmqctl`. Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// The output of the command.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String, String> {
        self.servers().rabbitmqctl(arguments)
    }

    /// Makes RabbitMQ write its queue definitions to disk. If it is killed right after a declaration, it can forget the
    /// queue with its confirmed messages. Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// The output of the command.
    pub fn keep_topology(&self) -> Result<(), String> {
        let said = self.rabbitmqctl(&["eval", "mnesia:dump_log(), mnesia:sync_log()."])?;
        if said.trim() == "ok" { Ok(()) } else { Err(format!("writing down the queues said {said:?}")) }
    }

    /// Starts each server that does not answer. For use between rows.
    pub(super) fn mend(&self) -> Result<(), String> {
        if self.plain().is_err() {
            self.kill_broker();
            self.start_broker()?;
        }
        if self.redis().and_then(|mut redis| redis.command::<String>(&["PING"])).is_err() {
            self.kill_redis();
            self.start_redis()?;
        }
        Ok(())
    }
}

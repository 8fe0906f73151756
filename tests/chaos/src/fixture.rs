//! The servers of a row, how to break them, and the size of the run.

use std::error::Error;
use std::sync::{Mutex, MutexGuard};

use xtask::test_servers::TestServers;
use zc_events::{Settings, SettingsBuilder};

use super::{AmqpClient, Child, DelayMonitor, Proxy, RedisClient, SchedulerDelay};
use integration_tests::unique;

/// The servers and the rest. Rows run one after another on the same one, and leave it as they found it.
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

    /// How much of something there is: in the whole form, and in the quick one.
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

    /// Settings for these servers, with an exchange and a service name of their own that begin with `name`.
    pub fn settings(&self, name: &str) -> SettingsBuilder {
        Settings::builder()
            .broker_url(&self.broker_url)
            .events_redis_url(&self.redis_url)
            .events_exchange(unique(name))
            .service_name(unique(name))
    }

    /// A proxy before RabbitMQ, and the URL that leads through it.
    ///
    /// # Errors
    /// No port could be had.
    pub fn broker_proxy(&self) -> std::io::Result<(Proxy, String)> {
        Proxy::before(&self.broker_url)
    }

    /// A proxy before Redis, and the URL that leads through it.
    ///
    /// # Errors
    /// No port could be had.
    pub fn redis_proxy(&self) -> std::io::Result<(Proxy, String)> {
        Proxy::before(&self.redis_url)
    }

    /// A plain AMQP client.
    ///
    /// # Errors
    /// The broker is not there.
    pub fn plain(&self) -> Result<AmqpClient, Box<dyn Error>> {
        AmqpClient::open(&self.broker_url)
    }

    /// A plain connection to Redis.
    ///
    /// # Errors
    /// Redis is not there.
    pub fn redis(&self) -> Result<RedisClient, Box<dyn Error>> {
        RedisClient::open(&self.redis_url)
    }

    /// This program once more, as the `child` of a row.
    ///
    /// # Errors
    /// The system's.
    pub fn child(&self, row: &str, environment: &[(&str, String)]) -> std::io::Result<Child> {
        Child::start(row, environment)
    }

    /// How late this machine is from now on.
    #[must_use]
    pub fn delay(&self) -> SchedulerDelay {
        self.delay_monitor.delay()
    }

    /// SIGKILL to RabbitMQ.
    pub fn kill_broker(&self) {
        self.servers().kill_broker();
    }

    /// RabbitMQ again, on its data. Returns when a plain client can log in and declare a queue, 5 to 25 s later.
    ///
    /// # Errors
    /// It did not come.
    pub fn start_broker(&self) -> Result<(), String> {
        self.servers().start_broker()
    }

    /// SIGKILL to Redis: all its keys are gone.
    pub fn kill_redis(&self) {
        self.servers().kill_redis();
    }

    /// Redis again, empty. Returns when it answers.
    ///
    /// # Errors
    /// It did not come.
    pub fn start_redis(&self) -> Result<(), String> {
        self.servers().start_redis()
    }

    /// Asks RabbitMQ's own tool. Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// What it said.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String, String> {
        self.servers().rabbitmqctl(arguments)
    }

    /// Lets RabbitMQ write down which queues there are. Killed right after a declaration, it was seen to forget the queue,
    /// and with it what it had confirmed. Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// What it said.
    pub fn keep_topology(&self) -> Result<(), String> {
        let said = self.rabbitmqctl(&["eval", "mnesia:dump_log(), mnesia:sync_log()."])?;
        if said.trim() == "ok" { Ok(()) } else { Err(format!("writing down the queues said {said:?}")) }
    }

    /// Whether both servers answer; what does not is started again. For use between rows.
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

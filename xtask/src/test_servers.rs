//! A private RabbitMQ and Redis that a test may kill and start again, on the same ports and the same data.
//!
//! Errors are texts for people. Dropping the servers ends them; so does the death of their program.

use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::run_quietly;
use crate::servers::{Nodes, install_if_missing};

/// `rabbitmqctl` takes 2 to 4 s, most of it its own start.
const CALL: Duration = Duration::from_secs(60);

/// A RabbitMQ and a Redis.
pub struct TestServers {
    nodes: Nodes,
    interrupt: Interrupt,
}

impl TestServers {
    /// Starts both, and installs them first where they are missing and that is possible. Blocks for 7 to 25 s.
    ///
    /// # Errors
    /// Says what is missing or what did not start.
    pub fn start() -> Result<Self, String> {
        Self::start_nodes(false)
    }

    /// The same, with RabbitMQ's management API, which takes it two seconds more.
    ///
    /// # Errors
    /// As for [`TestServers::start`].
    pub fn start_with_management() -> Result<Self, String> {
        Self::start_nodes(true)
    }

    fn start_nodes(management: bool) -> Result<Self, String> {
        let interrupt = Interrupt::deaf();
        install_if_missing(&interrupt).map_err(text)?;
        let nodes = crate::servers::start_nodes(management, &interrupt).map_err(text)?;
        Ok(Self { nodes, interrupt })
    }

    /// Where the management API is, with its login; empty where it was not asked for.
    #[must_use]
    pub fn management_url(&self) -> String {
        self.nodes.management_url().unwrap_or_default()
    }

    /// Where RabbitMQ is, with its login.
    #[must_use]
    pub fn broker_url(&self) -> String {
        self.nodes.urls().broker.clone()
    }

    /// Where Redis is.
    #[must_use]
    pub fn redis_url(&self) -> String {
        self.nodes.urls().redis.clone()
    }

    /// SIGKILL to RabbitMQ: it flushes nothing and closes no connection.
    pub fn kill_broker(&mut self) {
        self.nodes.kill_rabbitmq();
    }

    /// Starts RabbitMQ again on its data, and returns when a plain client can log in and declare a queue.
    ///
    /// # Errors
    /// The end of its log, if it does not come.
    pub fn start_broker(&mut self) -> Result<(), String> {
        self.nodes.start_rabbitmq(&self.interrupt).map_err(text)
    }

    /// SIGKILL to Redis, which keeps nothing on disk: all its keys are gone.
    pub fn kill_redis(&mut self) {
        self.nodes.kill_redis();
    }

    /// Starts Redis again, empty, and returns when it answers.
    ///
    /// # Errors
    /// The end of its log, if it does not come.
    pub fn start_redis(&mut self) -> Result<(), String> {
        self.nodes.start_redis(&self.interrupt).map_err(text)
    }

    /// What `rabbitmqctl` prints for these arguments (its last 15 lines). Blocks for 2 to 4 s.
    ///
    /// # Errors
    /// What it printed, where it failed.
    pub fn rabbitmqctl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.nodes.rabbitmqctl().map_err(text)?;
        command.args(arguments);
        let (status, printed) = run_quietly("rabbitmqctl", &mut command, CALL, &self.interrupt).map_err(text)?;
        if status.success() { Ok(printed) } else { Err(format!("rabbitmqctl {}: {printed}", arguments.join(" "))) }
    }
}

fn text(failure: Failure) -> String {
    failure.to_string()
}

//! `rabbitmq-server` and `redis-server` of this machine, as private nodes: free ports of the loopback interface, data,
//! logs, cookie and epmd of their own in a temporary folder. The system's own services and data are never touched.

use std::net::{Ipv4Addr, ToSocketAddrs};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cleanup_guard::CleanupGuard;
use super::executables::{Executables, is_program};
use super::node_home::{NodeHome, unusable};
use super::urls::Urls;
use super::{ports, ready};
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};

/// A node boots in 7 to 23 s; this is for machines that are much slower.
const BOOT: Duration = Duration::from_secs(120);
/// A node stops in 1 to 2 s.
const GRACE: Duration = Duration::from_secs(10);
/// How often a start is tried where another program takes a port first.
const ATTEMPTS: usize = 3;
/// All that epmd does where another has its port: it ends, without a word.
const EPMD_ENDED: &str = "epmd ended while the servers were starting";

/// The running nodes. Dropping them kills them and removes their folder.
pub(crate) struct Nodes {
    urls: Urls,
    programs: Executables,
    home: NodeHome,
    /// Of RabbitMQ, its distribution, epmd and Redis.
    ports: [u16; 4],
    // Stopped from the first to the last: a node logs out at epmd.
    rabbitmq: Process,
    redis: Process,
    epmd: Process,
    // Told that all is in order once they are stopped.
    guard: CleanupGuard,
    folder: TempDir,
}

/// Starts both and waits until both answer; RabbitMQ with its management API, where that is asked for.
pub(crate) fn start(management: bool, interrupt: &Interrupt) -> Result<Nodes> {
    let programs = Executables::find()?;
    localhost_resolves()?;
    log::info!("starting {} and {} on free ports", programs.rabbitmq.display(), programs.redis.display());
    let mut attempt = 1;
    loop {
        match Nodes::start(&programs, management, interrupt) {
            Err(Failure::Says(text)) if attempt < ATTEMPTS && lost_a_port(&text) => {
                log::info!("another program took a port: starting again with other ports");
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// A node's name ends in `@localhost`; where that is no address, booting hangs.
fn localhost_resolves() -> Result<()> {
    let resolved = ("localhost", 0).to_socket_addrs().is_ok_and(|mut all| all.any(|it| it.ip() == Ipv4Addr::LOCALHOST));
    if resolved {
        return Ok(());
    }
    Err(Failure::says(
        "`localhost` does not resolve to 127.0.0.1, and RabbitMQ needs it to: add the line `127.0.0.1 localhost` to \
         /etc/hosts",
    ))
}

/// Whether a failed start is only a port that was taken between choosing and using it.
fn lost_a_port(text: &str) -> bool {
    let text = text.to_lowercase();
    ["eaddrinuse", "address already in use", EPMD_ENDED].iter().any(|sign| text.contains(sign))
}

impl Nodes {
    fn start(programs: &Executables, management: bool, interrupt: &Interrupt) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("zc-events-servers-").tempdir().map_err(unusable)?;
        let [amqp, dist, epmd_port, redis_port, http] = ports::free()?;
        let ports = [amqp, dist, epmd_port, redis_port];
        let home = NodeHome::prepare(folder.path(), management.then_some(http)).map_err(unusable)?;
        let urls = Urls {
            broker: format!("amqp://guest:guest@127.0.0.1:{amqp}/%2F"),
            redis: format!("redis://127.0.0.1:{redis_port}/0"),
        };

        let mut guard = CleanupGuard::of(folder.path())?;
        // In the foreground and ours, so that it can be stopped; a node would start one that outlives it.
        let mut epmd = home.command(&programs.epmd, "epmd.log").map_err(unusable)?;
        epmd.env("ERL_EPMD_ADDRESS", "127.0.0.1").args(["-port", &epmd_port.to_string()]);
        let epmd = Process::start("epmd", &mut epmd)?;
        guard.watch(&epmd);
        let redis = home.start_redis(programs, ports)?;
        guard.watch(&redis);
        let rabbitmq = home.start_rabbitmq(programs, ports)?;
        guard.watch(&rabbitmq);

        let programs = programs.clone();
        let mut nodes = Nodes { urls, programs, home, ports, rabbitmq, redis, epmd, guard, folder };
        let deadline = Instant::now() + BOOT;
        nodes.until_redis_is_ready(deadline, interrupt)?;
        nodes.until_rabbitmq_is_ready(deadline, interrupt)?;
        Ok(nodes)
    }

    /// SIGKILL. Returns when it is gone.
    pub(crate) fn kill_rabbitmq(&mut self) {
        self.rabbitmq.kill();
    }

    /// See [`Nodes::kill_rabbitmq`].
    pub(crate) fn kill_redis(&mut self) {
        self.redis.kill();
    }

    /// A killed node again, with its ports and its data. Returns when it answers.
    pub(crate) fn start_rabbitmq(&mut self, interrupt: &Interrupt) -> Result<()> {
        self.rabbitmq = self.home.start_rabbitmq(&self.programs, self.ports)?;
        self.guard.watch(&self.rabbitmq);
        self.until_rabbitmq_is_ready(Instant::now() + BOOT, interrupt)
    }

    /// See [`Nodes::start_rabbitmq`].
    pub(crate) fn start_redis(&mut self, interrupt: &Interrupt) -> Result<()> {
        self.redis = self.home.start_redis(&self.programs, self.ports)?;
        self.guard.watch(&self.redis);
        self.until_redis_is_ready(Instant::now() + BOOT, interrupt)
    }

    /// `rabbitmqctl` for this node, without arguments.
    pub(crate) fn rabbitmqctl(&self) -> Result<Command> {
        let program = self.programs.rabbitmq.with_file_name("rabbitmqctl");
        if !is_program(&program) {
            return Err(Failure::says(format!("not found: {}", program.display())));
        }
        self.home.rabbitmq(&program, self.ports).map_err(unusable)
    }

    fn until_redis_is_ready(&mut self, deadline: Instant, interrupt: &Interrupt) -> Result<()> {
        loop {
            let Err(why) = ready::redis(&self.urls.redis, Some(self.redis.id())) else { return Ok(()) };
            if let Some(status) = self.redis.ended() {
                return Err(self.home.failed(&format!("redis-server ended while starting ({status})"), &["redis.log"]));
            }
            if Instant::now() >= deadline {
                return Err(self.home.failed(&format!("redis-server is not ready in time ({why})"), &["redis.log"]));
            }
            interrupt.pause(Duration::from_millis(50))?;
        }
    }

    fn until_rabbitmq_is_ready(&mut self, deadline: Instant, interrupt: &Interrupt) -> Result<()> {
        let logs = [self.home.node_log.as_str(), "rabbitmq.out"];
        loop {
            // Before the answer counts: without its own epmd a node uses any that is on that port.
            if self.epmd.ended().is_some() {
                return Err(self.home.failed(EPMD_ENDED, &["epmd.log"]));
            }
            let Err(why) = ready::broker(&self.urls.broker, Some(&self.home.cluster)) else { return Ok(()) };
            if let Some(status) = self.rabbitmq.ended() {
                return Err(self.home.failed(&format!("rabbitmq-server ended while starting ({status})"), &logs));
            }
            if Instant::now() >= deadline {
                return Err(self.home.failed(&format!("rabbitmq-server is not ready in time ({why})"), &logs));
            }
            interrupt.pause(Duration::from_millis(100))?;
        }
    }

    /// Where the management API is, with the login.
    pub(crate) fn management_url(&self) -> Option<String> {
        self.home.management.map(|port| format!("http://guest:guest@127.0.0.1:{port}"))
    }

    pub(crate) fn urls(&self) -> &Urls {
        &self.urls
    }

    /// SIGTERM, and SIGKILL for what is still there after a while.
    pub(super) fn stop(&mut self) {
        self.rabbitmq.stop(Polite::Leader, GRACE);
        self.redis.stop(Polite::Leader, GRACE);
        self.epmd.stop(Polite::Leader, GRACE);
    }

    /// Leaves them running; gives the command that stops them.
    pub(super) fn keep(mut self) -> String {
        drop(self.guard);
        let processes = [&mut self.rabbitmq, &mut self.redis, &mut self.epmd].map(|process| {
            process.leave_running();
            process.id().to_string()
        });
        self.folder.disable_cleanup(true);
        format!("kill {}; rm -rf {}", processes.join(" "), self.folder.path().display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_port_is_recognised() {
        assert!(lost_a_port("it ended\nbind: {error,eaddrinuse}") && lost_a_port(EPMD_ENDED));
        assert!(!lost_a_port("rabbitmq-server ended while starting\nno space left on device"));
    }
}

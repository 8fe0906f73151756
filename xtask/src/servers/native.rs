//! `rabbitmq-server` and `redis-server` of this machine, as private nodes: free ports of the loopback interface, data,
//! logs, cookie and epmd of their own in a temporary folder. The system's own services and data are never touched.

use std::ffi::OsString;
use std::net::{Ipv4Addr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::warden::Warden;
use super::{Urls, ports, ready};
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process, last_lines};

/// A node boots in 7 to 23 s; this is for machines that are much slower.
const BOOT: Duration = Duration::from_secs(120);
/// A node stops in 1 to 2 s.
const GRACE: Duration = Duration::from_secs(10);
/// How often a start is tried again where somebody else was quicker to take a port.
const ATTEMPTS: usize = 3;
/// All that epmd does where another has its port: it ends, without a word.
const EPMD_ENDED: &str = "epmd ended while the servers were starting";

/// Where Debian's own scripts are. They come before PATH: the wrapper in /usr/sbin switches to the system's user, home
/// and cookie.
const RABBITMQ_FOLDERS: [&str; 4] =
    ["/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin", "/opt/rabbitmq/sbin"];
const OTHER_FOLDERS: [&str; 6] =
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/lib/erlang/bin"];

/// The programs that are needed.
#[derive(Clone, Debug)]
struct Programs {
    rabbitmq: PathBuf,
    epmd: PathBuf,
    redis: PathBuf,
}

impl Programs {
    fn find() -> Result<Self> {
        let path: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        let mut anywhere = path;
        anywhere.extend(OTHER_FOLDERS.map(PathBuf::from));
        Self::find_in(&RABBITMQ_FOLDERS.map(PathBuf::from), &anywhere)
    }

    fn find_in(rabbitmq: &[PathBuf], anywhere: &[PathBuf]) -> Result<Self> {
        let find = |name: &str, folders: &mut dyn Iterator<Item = &PathBuf>| {
            folders.map(|folder| folder.join(name)).find(|path| is_program(path))
        };
        let found = [
            ("rabbitmq-server", find("rabbitmq-server", &mut rabbitmq.iter().chain(anywhere))),
            ("epmd", find("epmd", &mut anywhere.iter())),
            ("redis-server", find("redis-server", &mut anywhere.iter())),
        ];
        let missing: Vec<&str> = found.iter().filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect();
        match found.map(|(_, path)| path) {
            [Some(rabbitmq), Some(epmd), Some(redis)] => Ok(Programs { rabbitmq, epmd, redis }),
            _ => Err(Failure::says(format!("not found: {}", missing.join(", ")))),
        }
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Whether the programs are on this machine.
pub(super) fn are_installed() -> bool {
    Programs::find().is_ok()
}

/// The running nodes. Dropping them kills them and removes their folder.
pub(crate) struct Nodes {
    urls: Urls,
    programs: Programs,
    home: Home,
    /// Of RabbitMQ, its distribution, epmd and Redis.
    ports: [u16; 4],
    // Stopped from the first to the last: a node logs out at epmd.
    rabbitmq: Process,
    redis: Process,
    epmd: Process,
    // Told that all is in order once they are stopped.
    warden: Warden,
    folder: TempDir,
}

/// Starts both and waits until both answer; RabbitMQ with its management API, where that is asked for.
pub(crate) fn start(management: bool, interrupt: &Interrupt) -> Result<Nodes> {
    let programs = Programs::find()?;
    localhost_resolves()?;
    log::info!("starting {} and {} on free ports", programs.rabbitmq.display(), programs.redis.display());
    let mut attempt = 1;
    loop {
        match Nodes::start(&programs, management, interrupt) {
            Err(Failure::Says(text)) if attempt < ATTEMPTS && lost_a_port(&text) => {
                log::info!("somebody else took a port: once more with others");
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

fn unusable(error: std::io::Error) -> Failure {
    Failure::says(format!("cannot prepare a folder for servers: {error}"))
}

/// Whether a failed start is only a port that was taken between choosing and using it.
fn lost_a_port(text: &str) -> bool {
    let text = text.to_lowercase();
    ["eaddrinuse", "address already in use", EPMD_ENDED].iter().any(|sign| text.contains(sign))
}

impl Nodes {
    fn start(programs: &Programs, management: bool, interrupt: &Interrupt) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("zc-events-servers-").tempdir().map_err(unusable)?;
        let [amqp, dist, epmd_port, redis_port, http] = ports::free()?;
        let ports = [amqp, dist, epmd_port, redis_port];
        let home = Home::prepare(folder.path(), management.then_some(http)).map_err(unusable)?;
        let urls = Urls {
            broker: format!("amqp://guest:guest@127.0.0.1:{amqp}/%2F"),
            redis: format!("redis://127.0.0.1:{redis_port}/0"),
        };

        let mut warden = Warden::of(folder.path())?;
        // In the foreground and ours, so that it can be stopped; a node would start one that outlives it.
        let mut epmd = home.command(&programs.epmd, "epmd.log").map_err(unusable)?;
        epmd.env("ERL_EPMD_ADDRESS", "127.0.0.1").args(["-port", &epmd_port.to_string()]);
        let epmd = Process::start("epmd", &mut epmd)?;
        warden.watch(&epmd);
        let redis = home.start_redis(programs, ports)?;
        warden.watch(&redis);
        let rabbitmq = home.start_rabbitmq(programs, ports)?;
        warden.watch(&rabbitmq);

        let programs = programs.clone();
        let mut nodes = Nodes { urls, programs, home, ports, rabbitmq, redis, epmd, warden, folder };
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
        self.warden.watch(&self.rabbitmq);
        self.until_rabbitmq_is_ready(Instant::now() + BOOT, interrupt)
    }

    /// See [`Nodes::start_rabbitmq`].
    pub(crate) fn start_redis(&mut self, interrupt: &Interrupt) -> Result<()> {
        self.redis = self.home.start_redis(&self.programs, self.ports)?;
        self.warden.watch(&self.redis);
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
            // Before the answer counts: without its own epmd a node uses whoever's is on that port.
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
        drop(self.warden);
        let processes = [&mut self.rabbitmq, &mut self.redis, &mut self.epmd].map(|process| {
            process.leave_running();
            process.id().to_string()
        });
        self.folder.disable_cleanup(true);
        format!("kill {}; rm -rf {}", processes.join(" "), self.folder.path().display())
    }
}

/// The folder of a pair of servers, and the environment that keeps them in it.
struct Home {
    folder: PathBuf,
    /// The name that the broker gives itself at login: only ours has it.
    cluster: String,
    node_log: String,
    /// The port of the management API.
    management: Option<u16>,
}

impl Home {
    fn prepare(folder: &Path, management: Option<u16>) -> std::io::Result<Self> {
        let unique = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let home = folder.join("home");
        std::fs::create_dir(&home)?;
        let cookie = home.join(".erlang.cookie");
        std::fs::write(&cookie, &unique)?;
        std::fs::set_permissions(&cookie, std::fs::Permissions::from_mode(0o400))?;
        let plugins = if management.is_some() { "[rabbitmq_management].\n" } else { "[].\n" };
        std::fs::write(folder.join("plugins"), plugins)?;
        let mut settings = format!("cluster_name = {unique}\n");
        if let Some(port) = management {
            settings.push_str(&format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n"));
        }
        std::fs::write(folder.join("rabbitmq.conf"), settings)?;
        let node_log = "log/zc-events.log".to_owned();
        Ok(Home { folder: folder.to_path_buf(), cluster: unique, node_log, management })
    }

    /// `program` without the caller's Erlang and RabbitMQ settings, printing to the file `output`.
    fn command(&self, program: &Path, output: &str) -> std::io::Result<Command> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_a_servers_setting(name)) {
            command.env_remove(name);
        }
        let output = std::fs::File::create(self.folder.join(output))?;
        command.env("HOME", self.folder.join("home")).current_dir(&self.folder);
        command.stdout(Stdio::from(output.try_clone()?)).stderr(Stdio::from(output));
        Ok(command)
    }

    fn start_redis(&self, programs: &Programs, [_, _, _, port]: [u16; 4]) -> Result<Process> {
        let mut redis = self.command(&programs.redis, "redis.log").map_err(unusable)?;
        redis.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        redis.arg("--dir").arg(&self.folder);
        Process::start("redis-server", &mut redis)
    }

    fn start_rabbitmq(&self, programs: &Programs, ports: [u16; 4]) -> Result<Process> {
        Process::start("rabbitmq-server", &mut self.rabbitmq(&programs.rabbitmq, ports).map_err(unusable)?)
    }

    /// `program`, which is RabbitMQ's, with the settings of this node.
    fn rabbitmq(&self, program: &Path, [amqp, dist, epmd, _]: [u16; 4]) -> std::io::Result<Command> {
        let loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
        let mut command = self.command(program, "rabbitmq.out")?;
        command
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", "zc-events@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", amqp.to_string())
            .env("RABBITMQ_DIST_PORT", dist.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("data"))
            .env("RABBITMQ_LOG_BASE", self.folder.join("log"))
            .env("RABBITMQ_LOGS", self.folder.join(&self.node_log))
            .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.folder.join("plugins"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", loopback)
            .env("RABBITMQ_CTL_ERL_ARGS", loopback)
            // The script then becomes the node instead of waiting for it: our child is the server itself.
            .env("RUNNING_UNDER_SYSTEMD", "true");
        Ok(command)
    }

    /// The failure `what`, with the end of the servers' own logs.
    fn failed(&self, what: &str, logs: &[&str]) -> Failure {
        let mut text = what.to_owned();
        for log in logs {
            let lines = std::fs::read(self.folder.join(log)).unwrap_or_default();
            let lines = last_lines(&String::from_utf8_lossy(&lines), 20);
            if !lines.is_empty() {
                text.push_str(&format!("\nthe end of {log}:\n{lines}"));
            }
        }
        Failure::Says(text)
    }
}

/// Whether a variable of the environment would change how a server starts.
fn is_a_servers_setting(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("RABBITMQ_") || name.starts_with("ERL_") || name == "NOTIFY_SOCKET"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn every_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().to_path_buf()];
        let missing = |_| Programs::find_in(&[], &places).unwrap_err().to_string();
        assert_eq!(missing(()), "not found: rabbitmq-server, epmd, redis-server");
        program(folder.path(), "redis-server", 0o755);
        program(folder.path(), "epmd", 0o644);
        assert_eq!(missing(()), "not found: rabbitmq-server, epmd");
    }

    #[test]
    fn rabbitmqs_own_scripts_come_before_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (scripts, path) = (folder.path().join("scripts"), folder.path().join("path"));
        for name in ["rabbitmq-server", "epmd", "redis-server"] {
            program(&path, name, 0o755);
        }
        let find = || Programs::find_in(std::slice::from_ref(&scripts), std::slice::from_ref(&path)).unwrap().rabbitmq;
        assert_eq!(find(), path.join("rabbitmq-server"));
        let own = program(&scripts, "rabbitmq-server", 0o755);
        assert_eq!(find(), own);
    }

    #[test]
    fn a_failed_start_shows_the_end_of_the_log_and_a_lost_port_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::prepare(folder.path(), None).unwrap();
        std::fs::write(folder.path().join("it.log"), "fine\nbind: {error,eaddrinuse}\n").unwrap();
        let text = home.failed("it ended", &["it.log", "absent.log"]).to_string();
        assert_eq!(text, "it ended\nthe end of it.log:\nfine\nbind: {error,eaddrinuse}");
        assert!(lost_a_port(&text) && lost_a_port(&home.failed(EPMD_ENDED, &[]).to_string()));
        assert!(!lost_a_port("rabbitmq-server ended while starting\nno space left on device"));
    }

    #[test]
    fn the_callers_server_settings_are_recognised() {
        let is = |name: &str| is_a_servers_setting(&name.into());
        assert!(is("RABBITMQ_NODENAME") && is("ERL_EPMD_PORT") && is("NOTIFY_SOCKET"));
        assert!(!is("PATH") && !is("HOME"));
    }
}

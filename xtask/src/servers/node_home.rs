//! The folder of a private RabbitMQ and Redis, and the environment that keeps them in it.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::executables::Executables;
use crate::failure::{Failure, Result};
use crate::process::{Process, last_lines};

pub(super) fn unusable(error: std::io::Error) -> Failure {
    Failure::says(format!("cannot prepare a folder for servers: {error}"))
}

/// The folder of a pair of servers, and the environment that keeps them in it.
pub(super) struct NodeHome {
    folder: PathBuf,
    /// The name that the broker gives itself at login: only ours has it.
    pub(super) cluster: String,
    pub(super) node_log: String,
    /// The port of the management API.
    pub(super) management: Option<u16>,
}

impl NodeHome {
    pub(super) fn prepare(folder: &Path, management: Option<u16>) -> std::io::Result<Self> {
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
        Ok(NodeHome { folder: folder.to_path_buf(), cluster: unique, node_log, management })
    }

    /// `program` without the caller's Erlang and RabbitMQ settings, printing to the file `output`.
    pub(super) fn command(&self, program: &Path, output: &str) -> std::io::Result<Command> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_a_servers_setting(name)) {
            command.env_remove(name);
        }
        let output = std::fs::File::create(self.folder.join(output))?;
        command.env("HOME", self.folder.join("home")).current_dir(&self.folder);
        command.stdout(Stdio::from(output.try_clone()?)).stderr(Stdio::from(output));
        Ok(command)
    }

    pub(super) fn start_redis(&self, programs: &Executables, [_, _, _, port]: [u16; 4]) -> Result<Process> {
        let mut redis = self.command(&programs.redis, "redis.log").map_err(unusable)?;
        redis.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        redis.arg("--dir").arg(&self.folder);
        Process::start("redis-server", &mut redis)
    }

    pub(super) fn start_rabbitmq(&self, programs: &Executables, ports: [u16; 4]) -> Result<Process> {
        Process::start("rabbitmq-server", &mut self.rabbitmq(&programs.rabbitmq, ports).map_err(unusable)?)
    }

    /// `program`, which is RabbitMQ's, with the settings of this node.
    pub(super) fn rabbitmq(&self, program: &Path, [amqp, dist, epmd, _]: [u16; 4]) -> std::io::Result<Command> {
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
    pub(super) fn failed(&self, what: &str, logs: &[&str]) -> Failure {
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

    #[test]
    fn a_failed_start_shows_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let home = NodeHome::prepare(folder.path(), None).unwrap();
        std::fs::write(folder.path().join("it.log"), "fine\nbind: {error,eaddrinuse}\n").unwrap();
        let text = home.failed("it ended", &["it.log", "absent.log"]).to_string();
        assert_eq!(text, "it ended\nthe end of it.log:\nfine\nbind: {error,eaddrinuse}");
    }

    #[test]
    fn the_callers_server_settings_are_recognised() {
        let is = |name: &str| is_a_servers_setting(&name.into());
        assert!(is("RABBITMQ_NODENAME") && is("ERL_EPMD_PORT") && is("NOTIFY_SOCKET"));
        assert!(!is("PATH") && !is("HOME"));
    }
}

//! The checkout's `docker-compose.yml`, as a project of its own on free ports.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::given::until_ready;
use super::urls::Urls;
use super::{ports, ready};
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Process, last_lines, run_quietly};
use crate::workspace;

/// An engine that is there answers in a second.
const ASK: Duration = Duration::from_secs(10);
/// Images are downloaded the first time.
const UP: Duration = Duration::from_secs(600);
const BOOT: Duration = Duration::from_secs(120);
const DOWN: Duration = Duration::from_secs(60);

/// A project that is up. Dropping it takes it down, volumes and all.
pub(super) struct Project {
    urls: Urls,
    compose: Compose,
    /// False once it is somebody else's to take down.
    owned: bool,
}

/// How compose is called for one project.
struct Compose {
    program: &'static [&'static str],
    file: PathBuf,
    name: String,
    /// What the file takes from the environment.
    ports: [(&'static str, u16); 3],
}

/// The plugin, and the program it used to be.
const PROGRAMS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];

/// Takes the project up and waits until both servers answer.
pub(super) fn start(interrupt: &Interrupt) -> Result<Project> {
    let program = find(interrupt)?;
    let [amqp, management, redis] = ports::free()?;
    let compose = Compose {
        program,
        file: workspace::root().join("docker-compose.yml"),
        name: format!("zc-events-{}-{amqp}", std::process::id()),
        ports: [("RABBITMQ_PORT", amqp), ("RABBITMQ_MANAGEMENT_PORT", management), ("REDIS_PORT", redis)],
    };
    let urls = Urls {
        broker: format!("amqp://guest:guest@127.0.0.1:{amqp}/%2F"),
        redis: format!("redis://127.0.0.1:{redis}/0"),
    };
    log::info!("starting RabbitMQ and Redis with {}", program.join(" "));
    // Owned before it is up: an interrupted `up` leaves containers too.
    let project = Project { urls, compose, owned: true };
    let mut up = project.compose.command(&["up", "--detach", "--quiet-pull"]);
    let status = Process::start("docker compose", up.stdout(Stdio::from(std::io::stderr())))?
        .wait(interrupt, Some(Instant::now() + UP))?;
    match status {
        Some(status) if status.success() => {}
        Some(status) => return Err(Failure::says(format!("`{} up` failed ({status})", program.join(" ")))),
        None => return Err(Failure::says(format!("`{} up` took too long", program.join(" ")))),
    }
    let deadline = Instant::now() + BOOT;
    until_ready("redis", || ready::redis(&project.urls.redis, None), deadline, interrupt)
        .and_then(|()| until_ready("rabbitmq", || ready::broker(&project.urls.broker, None), deadline, interrupt))
        .map_err(|failure| project.with_logs(failure, interrupt))?;
    Ok(project)
}

/// The first compose of this machine, behind an engine that answers.
fn find(interrupt: &Interrupt) -> Result<&'static [&'static str]> {
    let (status, said) = run_quietly("docker", Command::new("docker").arg("info"), ASK, interrupt)?;
    if !status.success() {
        return Err(Failure::says(format!("the engine does not answer: {}", last_lines(&said, 1))));
    }
    for program in PROGRAMS {
        let mut version = Command::new(program[0]);
        match run_quietly(program[0], version.args(&program[1..]).arg("version"), ASK, interrupt) {
            Ok((status, _)) if status.success() => return Ok(program),
            Err(Failure::Interrupted(signal)) => return Err(Failure::Interrupted(signal)),
            _ => {}
        }
    }
    Err(Failure::says("docker is here, compose is not: install the package docker-compose-v2 or docker-compose"))
}

impl Compose {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program[0]);
        command.args(&self.program[1..]).args(["--project-name", &self.name]).arg("--file").arg(&self.file);
        command.args(arguments).envs(self.ports.map(|(name, port)| (name, port.to_string())));
        command
    }
}

impl Project {
    pub(super) fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Takes it down. Blocks for up to a minute.
    pub(super) fn stop(self) {
        drop(self);
    }

    /// Leaves it up; gives the command that takes it down.
    pub(super) fn keep(mut self) -> String {
        self.owned = false;
        format!("{} --project-name {} down --volumes", self.compose.program.join(" "), self.compose.name)
    }

    fn with_logs(&self, failure: Failure, interrupt: &Interrupt) -> Failure {
        let Failure::Says(text) = failure else { return failure };
        match run_quietly("docker compose logs", &mut self.compose.command(&["logs", "--tail", "20"]), ASK, interrupt) {
            Ok((_, logs)) => Failure::Says(format!("{text}\nthe end of the containers' logs:\n{logs}")),
            Err(_) => Failure::Says(text),
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        // Also on the way out after a signal, and so without listening to signals.
        let deaf = Interrupt::deaf();
        let mut down = self.compose.command(&["down", "--volumes", "--timeout", "5"]);
        match run_quietly("docker compose down", &mut down, DOWN, &deaf) {
            Ok((status, _)) if status.success() => {}
            Ok((status, said)) => log::warn!("docker compose down failed ({status}): {said}"),
            Err(failure) => log::warn!("{failure}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_project_file_and_ports() {
        let compose = Compose {
            program: PROGRAMS[0],
            file: "/there/docker-compose.yml".into(),
            name: "mine".to_owned(),
            ports: [("RABBITMQ_PORT", 1), ("RABBITMQ_MANAGEMENT_PORT", 2), ("REDIS_PORT", 3)],
        };
        let command = compose.command(&["up", "--detach"]);
        let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        assert_eq!(command.get_program(), "docker");
        assert_eq!(
            arguments,
            ["compose", "--project-name", "mine", "--file", "/there/docker-compose.yml", "up", "--detach"]
        );
        let ports: Vec<_> =
            command.get_envs().filter_map(|(name, port)| Some((name.to_str()?, port?.to_str()?))).collect();
        assert_eq!(ports, [("RABBITMQ_MANAGEMENT_PORT", "2"), ("RABBITMQ_PORT", "1"), ("REDIS_PORT", "3")]);
    }

    #[test]
    fn the_file_takes_the_ports_from_these_variables() {
        let file = std::fs::read_to_string(workspace::root().join("docker-compose.yml")).unwrap();
        for variable in ["${RABBITMQ_PORT:-5672}", "${RABBITMQ_MANAGEMENT_PORT:-15672}", "${REDIS_PORT:-6379}"] {
            assert!(file.contains(variable), "{variable}");
        }
    }
}

//! A RabbitMQ and a Redis to work against: found, started, awaited, and stopped again.
//!
//! One file for each place they can come from (`given`, `native`, `compose`, `apt`); this one picks.

mod apt;
mod cleanup_guard;
mod compose;
mod executables;
mod given;
mod native;
mod node_home;
mod ports;
mod ready;
mod urls;

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;

/// Options of `cargo xtask servers`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Stop by itself after this many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    #[command(flatten)]
    wanted: Wanted,
}

/// Where servers may come from.
#[derive(clap::Args, Default)]
pub(crate) struct Wanted {
    /// Never install packages
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Take the servers from here or fail; without it, the first of these that works
    #[arg(long, value_enum, value_name = "PLACE")]
    from: Option<Place>,
}

/// Servers that are there already.
#[derive(clap::Args, Default)]
pub(crate) struct GivenUrls {
    /// Use this RabbitMQ instead of starting one
    #[arg(long, value_name = "URL", requires = "redis_url")]
    broker_url: Option<String>,
    /// Use this Redis instead of starting one
    #[arg(long, value_name = "URL", requires = "broker_url")]
    redis_url: Option<String>,
}

/// A place that servers can be started from, in the order of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// `rabbitmq-server` and `redis-server` of this machine
    Native,
    /// Docker compose
    Compose,
    /// The packages of Debian or Ubuntu, installed first; needs root
    Apt,
}

/// Nodes of this machine, for programs that kill them and start them again.
pub(crate) use native::{Nodes, start as start_nodes};

/// Packages of Debian and Ubuntu.
pub(crate) use apt::install_packages;
pub(crate) use urls::Urls;

/// Installs the servers where they are missing and that can be done.
pub(crate) fn install_if_missing(interrupt: &Interrupt) -> Result<()> {
    if executables::are_installed() { Ok(()) } else { apt::install(interrupt) }
}

/// A running RabbitMQ and Redis that answer. Dropping it stops what was started.
pub(crate) struct Servers {
    urls: Urls,
    held: Held,
}

enum Held {
    /// Somebody else's.
    Nothing,
    Native(Box<native::Nodes>),
    Compose(compose::Project),
}

impl Servers {
    /// The given ones, or the first place that works.
    ///
    /// Blocks until both answer: 7 to 25 s for servers of this machine, minutes where something is downloaded.
    pub(crate) fn obtain(given: &GivenUrls, wanted: &Wanted, interrupt: &Interrupt) -> Result<Self> {
        if let (Some(broker), Some(redis)) = (&given.broker_url, &given.redis_url) {
            let urls = Urls { broker: broker.clone(), redis: redis.clone() };
            given::check(&urls, interrupt)?;
            return Ok(Servers { urls, held: Held::Nothing });
        }
        first_that_works(&places(wanted), |place| {
            let started = Instant::now();
            let servers = match place {
                Place::Native => native::start(false, interrupt).map(Self::of_nodes),
                Place::Compose => compose::start(interrupt)
                    .map(|project| Servers { urls: project.urls().clone(), held: Held::Compose(project) }),
                Place::Apt if wanted.no_install => Err(Failure::says("not tried: --no-install")),
                Place::Apt => {
                    apt::install(interrupt).and_then(|()| native::start(false, interrupt)).map(Self::of_nodes)
                }
            }?;
            log::info!("RabbitMQ and Redis answer after {:.1} s", started.elapsed().as_secs_f32());
            Ok(servers)
        })
    }

    fn of_nodes(nodes: native::Nodes) -> Self {
        Servers { urls: nodes.urls().clone(), held: Held::Native(Box::new(nodes)) }
    }

    pub(crate) fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Whether they are programs of this machine, started for us.
    pub(crate) fn are_private(&self) -> bool {
        matches!(self.held, Held::Native(_))
    }

    /// Stops what was started. Blocks for 1 to 2 s, 15 s at worst.
    pub(crate) fn stop(self) {
        match self.held {
            Held::Nothing => {}
            Held::Native(mut nodes) => nodes.stop(),
            Held::Compose(project) => project.stop(),
        }
    }

    /// Leaves them running, and gives the command that stops them (None if they are somebody else's).
    pub(crate) fn keep(self) -> Option<String> {
        match self.held {
            Held::Nothing => None,
            Held::Native(nodes) => Some(nodes.keep()),
            Held::Compose(project) => Some(project.keep()),
        }
    }
}

fn places(wanted: &Wanted) -> Vec<Place> {
    match wanted.from {
        Some(place) => vec![place],
        None => Place::value_variants().to_vec(),
    }
}

/// What `start` gives for the first of `places` where it does; where none does, one error with every reason.
fn first_that_works<T>(places: &[Place], mut start: impl FnMut(Place) -> Result<T>) -> Result<T> {
    let mut reasons = Vec::new();
    for &place in places {
        match start(place) {
            Ok(servers) => return Ok(servers),
            Err(Failure::Interrupted(signal)) => return Err(Failure::Interrupted(signal)),
            Err(reason) => {
                log::debug!("{}: {reason}", title(place));
                reasons.push(format!("- {}: {}", title(place), reason.to_string().replace('\n', "\n    ")));
            }
        }
    }
    Err(Failure::says(format!(
        "no RabbitMQ and Redis found:\n{}\n\
         Install the servers (Debian and Ubuntu: `apt-get install rabbitmq-server redis-server`; macOS: `brew install \
         rabbitmq redis`) or Docker with compose; or name running ones: `cargo xtask integration --broker-url \
         amqp://USER:PASSWORD@HOST:5672/%2F --redis-url redis://HOST:6379/0`.",
        reasons.join("\n")
    )))
}

fn title(place: Place) -> &'static str {
    match place {
        Place::Native => "installed programs",
        Place::Compose => "docker compose",
        Place::Apt => "apt-get install",
    }
}

/// `cargo xtask servers`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let servers = Servers::obtain(&GivenUrls::default(), &options.wanted, &interrupt)?;
    let Urls { broker, redis } = servers.urls();
    println!("export BROKER_URL={broker} EVENTS_REDIS_URL={redis}");
    let variables = servers.urls().environment().map(|(name, url)| format!("{name}={}", url.to_string_lossy()));
    println!("export {}", variables.join(" "));
    match options.seconds {
        Some(seconds) => log::info!("up for {seconds} s; Ctrl-C stops them sooner"),
        None => log::info!("up; Ctrl-C stops them"),
    }
    let deadline = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    while deadline.is_none_or(|deadline| Instant::now() < deadline) {
        // A signal is how this command is meant to end.
        if interrupt.pause(Duration::from_millis(200)).is_err() {
            break;
        }
    }
    servers.stop();
    log::info!("stopped");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_works_is_taken() {
        let mut tried = Vec::new();
        let taken = first_that_works(&places(&Wanted::default()), |place| {
            tried.push(place);
            if place == Place::Compose { Ok(place) } else { Err(Failure::says("absent")) }
        });
        assert_eq!(taken.unwrap(), Place::Compose);
        assert_eq!(tried, [Place::Native, Place::Compose]);
    }

    #[test]
    fn where_none_works_every_reason_is_given_and_what_to_install() {
        let refused =
            first_that_works::<()>(&places(&Wanted::default()), |place| Err(Failure::says(format!("no {place:?}"))));
        let text = refused.unwrap_err().to_string();
        for part in
            ["no Native", "no Compose", "no Apt", "apt-get install rabbitmq-server redis-server", "--broker-url"]
        {
            assert!(text.contains(part), "{part} is missing from:\n{text}");
        }
    }

    #[test]
    fn a_signal_ends_the_search() {
        let mut tried = 0;
        let ended = first_that_works::<()>(&places(&Wanted::default()), |_| {
            tried += 1;
            Err(Failure::Interrupted(2))
        });
        assert!(matches!(ended, Err(Failure::Interrupted(2))));
        assert_eq!(tried, 1);
    }

    #[test]
    fn one_place_can_be_asked_for() {
        assert_eq!(places(&Wanted { from: Some(Place::Apt), no_install: false }), [Place::Apt]);
    }
}

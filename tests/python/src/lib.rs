//! A fleet of Python services and ours, for the tests beside Python: its names and settings, and how its Python processes
//! are started. The Python programs are in `tests/interop`.
//!
//! `cargo xtask integration` makes the Python environment and names it; without one these tests fail.

#![allow(missing_debug_implementations, reason = "not published: only the tests of this workspace use it")]

mod caller;
mod process;
mod worker;

use std::path::PathBuf;
use std::process::Command;

use zc_events::{EventClient, Settings, SettingsBuilder};

use integration_tests::{broker_url, redis_url, required, unique};

pub use caller::Caller;
pub use process::PATIENCE;
pub use worker::{Worker, WorkerBuilder};

/// A fleet: its own exchanges, and the services on them.
pub struct Fleet {
    name: String,
}

impl Fleet {
    /// A fleet without services.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        Self { name: unique("fleet") }
    }

    /// The exchange for events.
    #[must_use]
    pub fn events_exchange(&self) -> String {
        format!("{}-events", self.name)
    }

    /// The exchange for notifications.
    #[must_use]
    pub fn notifications_exchange(&self) -> String {
        format!("{}-notifications", self.name)
    }

    /// The `SERVICE_NAME` of the service that tests call `name`.
    #[must_use]
    pub fn service_name(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// Settings of one of our services.
    pub fn settings(&self, name: &str) -> SettingsBuilder {
        Settings::builder()
            .broker_url(broker_url())
            .events_redis_url(redis_url())
            .events_exchange(self.events_exchange())
            .notifications_exchange(self.notifications_exchange())
            .service_name(self.service_name(name))
            .events_timeout(PATIENCE)
            .events_publish_timeout(PATIENCE)
    }

    /// The client of one of our services.
    ///
    /// # Panics
    /// Where it cannot be made.
    #[must_use]
    pub fn client(&self, name: &str) -> EventClient {
        client(self.settings(name))
    }

    /// A Python service, to be started.
    #[must_use]
    pub fn worker(&self, name: &str) -> WorkerBuilder {
        WorkerBuilder::new(self.command(name))
    }

    /// A Python program that calls others, as the service of that name.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn caller(&self, name: &str) -> Caller {
        let mut command = self.command(name);
        command.env("RECORDS", unique("records"));
        Caller::start(command)
    }

    /// A Python with the settings of a service.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(required("ZC_EVENTS_TEST_PYTHON"));
        command
            .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../interop"))
            // What the machine's own settings would change.
            .env_remove("PYTHONHOME")
            .env_remove("PYTHONPATH")
            .env_remove("CELERY_BROKER_URL")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .env("ZC_EVENTS_SETTINGS", "fleet_settings")
            .env("SERVICE_NAME", self.service_name(name))
            .env("BROKER_URL", broker_url())
            .env("EVENTS_REDIS_URL", redis_url())
            .env("EVENTS_EXCHANGE", self.events_exchange())
            .env("NOTIFICATIONS_EXCHANGE", self.notifications_exchange());
        command
    }
}

/// A client with these settings.
///
/// # Panics
/// Where it cannot be made.
#[must_use]
pub fn client(settings: SettingsBuilder) -> EventClient {
    match settings.build().and_then(EventClient::new) {
        Ok(client) => client,
        Err(error) => panic!("{error}"),
    }
}

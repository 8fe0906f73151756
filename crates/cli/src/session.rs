//! One run of the program: output, signals, and clients with the settings of the environment.

use std::time::Duration;

use zc_events::{EventClient, Settings, SettingsBuilder};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};

/// The limit of closing the connections at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
}

impl Session {
    pub(crate) fn begin(format: Option<Format>) -> Result<Self, Failure> {
        Ok(Self { output: Output::new(format), interrupt: Interrupt::listen()? })
    }

    /// A client with the settings of the environment and of `.env`, changed by `change`.
    pub(crate) fn client(&self, change: impl FnOnce(SettingsBuilder) -> SettingsBuilder) -> Result<Client, Failure> {
        Ok(Client(EventClient::new(change(Settings::builder_from_env()?).build()?)?))
    }
}

/// A client that closes its connections when the command ends.
pub(crate) struct Client(EventClient);

impl std::ops::Deref for Client {
    type Target = EventClient;

    fn deref(&self) -> &EventClient {
        &self.0
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The command is done: how the connection closes does not matter.
        let _ = self.0.close(CLOSE_TIMEOUT);
    }
}

//! What every command has: the settings, clients made of them, where results go, and whether it is to end.

use std::time::Duration;

use zc_events::{EventClient, Settings, SettingsBuilder};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Format, Output};

/// How long closing the connections may take at the end.
const CLOSE: Duration = Duration::from_secs(2);

/// One run of the command.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
}

impl Session {
    pub(crate) fn begin(format: Option<Format>) -> Result<Self, Failure> {
        Ok(Self { output: Output::new(format), interrupt: Interrupt::listen()? })
    }

    /// A client with the settings of the environment and of `.env`, which `change` has the last word on.
    pub(crate) fn client(&self, change: impl FnOnce(SettingsBuilder) -> SettingsBuilder) -> Result<Client, Failure> {
        Ok(Client(EventClient::new(change(Settings::builder_from_env()?).build()?)?))
    }
}

/// A client that says goodbye to the broker when the command ends.
pub(crate) struct Client(EventClient);

impl std::ops::Deref for Client {
    type Target = EventClient;

    fn deref(&self) -> &EventClient {
        &self.0
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // What was to be done is done, whatever becomes of the connection.
        let _ = self.0.close(CLOSE);
    }
}

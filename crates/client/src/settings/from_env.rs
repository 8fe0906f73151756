//! The ways to create settings: from the environment, with a function, in code.

use super::environment::Environment;
use super::settings_builder::SettingsBuilder;
use super::values::Settings;
use crate::Result;

impl Settings {
    /// Reads the settings from the environment, and missing ones from a file `.env` in the working directory or above it.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) names the variable and says what would be right. A missing `BROKER_URL` is an error: it has no
    /// default.
    pub fn from_env() -> Result<Self> {
        Self::from_env_or(SettingsBuilder::default())
    }

    /// [`Settings::from_env`] with `defaults` for settings that are neither in the environment nor in the file.
    ///
    /// # Errors
    /// As for [`Settings::from_env`].
    pub fn from_env_or(defaults: SettingsBuilder) -> Result<Self> {
        Self::read_env(defaults)?.build()
    }

    /// A builder with the values of the environment and the file `.env`, for programs whose command line wins over both.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::Settings;
    /// # fn main() -> zc_events::Result<()> {
    /// let builder = Settings::builder_from_env()?;
    /// # let builder = builder.broker_url("memory://").staging_name("test");
    /// let settings = builder.events_timeout(Duration::from_secs(5)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the file cannot be read. The values are checked by [`SettingsBuilder::build`].
    pub fn builder_from_env() -> Result<SettingsBuilder> {
        Self::read_env(SettingsBuilder::default())
    }

    fn read_env(defaults: SettingsBuilder) -> Result<SettingsBuilder> {
        let environment = Environment::read()?;
        Ok(defaults.read(|name| environment.get(name).map(|(value, _)| value)))
    }

    /// Reads the settings with `lookup`, by the names of the environment variables.
    ///
    /// ```
    /// use zc_events::Settings;
    /// let settings = Settings::from_lookup(|name| match name {
    ///     "BROKER_URL" => Some("memory://".into()),
    ///     "STAGING_NAME" => Some("test".into()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(settings.events_exchange(), "microservice-events-test");
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Settings::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        SettingsBuilder::default().read(lookup).build()
    }

    /// A builder of settings, to set them in code.
    ///
    /// ```
    /// use zc_events::Settings;
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn builder() -> SettingsBuilder {
        SettingsBuilder::default()
    }
}

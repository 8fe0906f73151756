//! Where the settings of the environment come from: variables, and the nearest `.env` file.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::env_file;
use crate::Result;

/// The file's name.
const ENV_FILE: &str = ".env";

/// The environment as [`Settings::from_env`](crate::Settings::from_env) reads it: the variables of the process, and a file `.env`
/// in the working directory or above it for variables that the process does not have.
///
/// For programs that tell their users where a setting comes from.
///
/// ```
/// use zc_events::{Environment, Settings};
/// # fn main() -> zc_events::Result<()> {
/// let environment = Environment::read()?;
/// let settings = Settings::from_lookup(|name| match name {
///     "BROKER_URL" => Some("memory://".to_owned()),
///     "STAGING_NAME" => Some("test".to_owned()),
///     _ => environment.get(name).map(|(value, _)| value),
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// `Debug` shows no values: passwords are among them.
#[derive(Clone)]
pub struct Environment {
    file: Option<PathBuf>,
    values: HashMap<String, String>,
}

/// What sets a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SettingSource {
    /// The `.env` file.
    EnvFile,
    /// The environment of the process, which overrides the file.
    Environment,
}

impl fmt::Display for SettingSource {
    /// `.env`, or `the environment`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SettingSource::EnvFile => ENV_FILE,
            SettingSource::Environment => "the environment",
        })
    }
}

impl Environment {
    /// Reads the `.env` file, if there is one.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the file cannot be read; it names the line and does not quote it.
    pub fn read() -> Result<Self> {
        let directory = std::env::current_dir().unwrap_or_default();
        let file = directory.ancestors().map(|folder| folder.join(ENV_FILE)).find(|path| path.is_file());
        let values = file.as_deref().map(env_file::read).transpose()?.unwrap_or_default();
        Ok(Self { file, values })
    }

    /// The `.env` file; `None` if there is none.
    #[must_use]
    pub fn env_file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The value of a variable and what sets it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(String, SettingSource)> {
        let variable = std::env::var(name).ok().map(|value| (value, SettingSource::Environment));
        variable.or_else(|| self.values.get(name).map(|value| (value.clone(), SettingSource::EnvFile)))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("file", &self.file).finish_non_exhaustive()
    }
}

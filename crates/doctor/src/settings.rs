//! The settings that are examined, and the check of them. It shows names, exchange and queue, but no other values.

use std::cell::RefCell;
use std::collections::BTreeMap;

use zc_events::{Environment, EventClient, Result, SettingSource, Settings};
use zc_events_protocol::names;

use crate::check::Check;
use crate::finding::Finding;

/// The names of the variables that are set, by their source.
pub(crate) type SetVariables = BTreeMap<SettingSource, Vec<String>>;

/// What is examined.
pub(crate) enum Subject {
    /// The settings of the environment.
    Environment { settings: Box<Result<Settings>>, set: SetVariables, has_env_file: bool },
    /// A client.
    Client(EventClient),
}

impl Subject {
    /// Reads the environment, and remembers which variables are set.
    pub(crate) fn from_env() -> Self {
        let environment = match Environment::read() {
            Ok(environment) => environment,
            Err(error) => {
                return Self::Environment {
                    settings: Box::new(Err(error)),
                    set: SetVariables::new(),
                    has_env_file: true,
                };
            }
        };
        let set = RefCell::new(SetVariables::new());
        let lookup = |name: &str| {
            let (value, source) = environment.get(name)?;
            if !value.trim().is_empty() {
                set.borrow_mut().entry(source).or_default().push(name.to_owned());
            }
            Some(value)
        };
        let settings = Box::new(Settings::from_lookup(lookup));
        Self::Environment { settings, set: set.into_inner(), has_env_file: environment.env_file().is_some() }
    }

    /// The settings, if they are valid.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        match self {
            Self::Client(client) => Some(client.settings()),
            Self::Environment { settings, .. } => settings.as_ref().as_ref().ok(),
        }
    }

    /// The client, if one is examined.
    pub(crate) fn client(&self) -> Option<&EventClient> {
        match self {
            Self::Client(client) => Some(client),
            Self::Environment { .. } => None,
        }
    }

    pub(crate) fn check(&self) -> Finding {
        match self {
            Self::Client(client) => check_valid(client.settings(), "set in code".to_owned()),
            Self::Environment { settings, set, has_env_file } => match settings.as_ref() {
                Ok(settings) => check_valid(settings, list(set)),
                Err(error) => {
                    let remedy = if set.is_empty() && !has_env_file {
                        "no variable is set, and there is no .env file in this directory or above: change to the directory \
                         that has one, or copy .env.sample"
                    } else {
                        "docs/settings.md and .env.sample list the settings and their values"
                    };
                    Finding::failed(Check::Settings, error.to_string(), remedy)
                }
            },
        }
    }
}

fn check_valid(settings: &Settings, source: String) -> Finding {
    let exchange = settings.events_exchange();
    let seen = match settings.service_name() {
        Some(service) => format!("{source}; exchange `{exchange}`, queue `{}`", names::events_queue(service)),
        None => format!("{source}; exchange `{exchange}`"),
    };
    let remedy = match (settings.service_name(), settings.has_reply_store()) {
        (Some(_), true) => return Finding::ok(Check::Settings, seen),
        (None, true) => "SERVICE_NAME is not set: set it to check the service's queues too",
        (Some(_), false) => {
            "EVENTS_REDIS_URL is not set: set it to send requests to other services and to reply to theirs"
        }
        (None, false) => "SERVICE_NAME and EVENTS_REDIS_URL are not set: the program can only emit events",
    };
    Finding::warning(Check::Settings, seen, remedy)
}

fn list(set: &SetVariables) -> String {
    let is_set = |name: &str| set.values().flatten().any(|it| it == name);
    let mut parts: Vec<String> =
        set.iter().map(|(source, names)| format!("{} from {source}", names.join(", "))).collect();
    if is_set("BROKER_URL") && is_set("CELERY_BROKER_URL") {
        parts.push("CELERY_BROKER_URL overrides BROKER_URL".to_owned());
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_listed_by_source() {
        let set = SetVariables::from([
            (SettingSource::EnvFile, vec!["BROKER_URL".to_owned()]),
            (SettingSource::Environment, vec!["CELERY_BROKER_URL".to_owned(), "STAGING_NAME".to_owned()]),
        ]);
        assert_eq!(
            list(&set),
            "BROKER_URL from .env; CELERY_BROKER_URL, STAGING_NAME from the environment; CELERY_BROKER_URL overrides BROKER_URL"
        );
    }
}

//! Which settings there are, and from where. Values are not shown, but for names.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use zc_events_protocol::names;

use super::finding::{Check, Finding};
use super::{Doctor, Subject};
use crate::{Result, Settings, SettingsBuilder};

/// The names of the settings that there are, by where they are from.
pub(super) type Told = BTreeMap<&'static str, Vec<String>>;

const ENVIRONMENT: &str = "the environment";
const FILE: &str = ".env";

/// The settings, and which of them the environment and the file say.
pub(super) fn from_env() -> (Result<Settings>, Told) {
    let told = RefCell::new(Told::new());
    let settings = Settings::env_file().and_then(|file| {
        let read = |name: &str| read(name, std::env::var(name).ok(), &file, &told);
        SettingsBuilder::default().read(read).build()
    });
    (settings, told.into_inner())
}

fn read(name: &str, env: Option<String>, file: &HashMap<String, String>, told: &RefCell<Told>) -> Option<String> {
    let from_env = env.map(|value| (ENVIRONMENT, value));
    let (whence, value) = from_env.or_else(|| file.get(name).map(|value| (FILE, value.clone())))?;
    if !value.trim().is_empty() {
        told.borrow_mut().entry(whence).or_default().push(name.to_owned());
    }
    Some(value)
}

pub(super) fn check(doctor: &Doctor) -> (Finding, Option<&Settings>) {
    let (settings, told) = match &doctor.subject {
        Subject::Client(client) => {
            return (judge(client.settings(), "as the program has made them".into()), Some(client.settings()));
        }
        Subject::Env { settings, told } => (settings, told),
    };
    match settings.as_ref() {
        Ok(settings) => (judge(settings, list(told)), Some(settings)),
        Err(error) => {
            let remedy = if told.is_empty() && !has_env_file() {
                "none is set, and there is no file .env here or above: go to where it is, or copy .env.sample"
            } else {
                "README.md and .env.sample say what each setting takes"
            };
            (Finding::failed(Check::Settings, error.to_string(), remedy), None)
        }
    }
}

fn judge(settings: &Settings, whence: String) -> Finding {
    let seen = match settings.service_name() {
        Some(service) => {
            format!("{whence}; exchange `{}`, queue `{}`", settings.events_exchange(), names::events_queue(service))
        }
        None => format!("{whence}; exchange `{}`", settings.events_exchange()),
    };
    match (settings.service_name(), &settings.redis_url) {
        (Some(_), Some(_)) => Finding::ok(Check::Settings, seen),
        (None, Some(_)) => {
            let remedy = "SERVICE_NAME is not set: set it to look at a service's queue, too";
            Finding::warning(Check::Settings, seen, remedy)
        }
        (Some(_), None) => {
            let remedy = "EVENTS_REDIS_URL is not set: set it to ask other services, and to answer them";
            Finding::warning(Check::Settings, seen, remedy)
        }
        (None, None) => {
            let remedy = "SERVICE_NAME and EVENTS_REDIS_URL are not set: only events can be emitted";
            Finding::warning(Check::Settings, seen, remedy)
        }
    }
}

fn list(told: &Told) -> String {
    let has = |name: &str| told.values().flatten().any(|told| told == name);
    let mut parts: Vec<String> =
        told.iter().map(|(whence, names)| format!("{} from {whence}", names.join(", "))).collect();
    if has("BROKER_URL") && has("CELERY_BROKER_URL") {
        parts.push("CELERY_BROKER_URL wins over BROKER_URL".to_owned());
    }
    parts.join("; ")
}

/// Whether there is a `.env` where it is looked for.
fn has_env_file() -> bool {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().any(|folder: &Path| folder.join(FILE).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_where_they_are_from_and_values_are_not() {
        let file = HashMap::from([
            ("BROKER_URL".to_owned(), "amqp://u:canary@h".to_owned()),
            ("STAGING_NAME".to_owned(), "canary".to_owned()),
            ("SERVICE_NAME".to_owned(), " ".to_owned()),
        ]);
        let told = RefCell::new(Told::new());
        let env = |name: &str| (name == "STAGING_NAME" || name == "CELERY_BROKER_URL").then(|| "canary".to_owned());
        for name in ["BROKER_URL", "CELERY_BROKER_URL", "STAGING_NAME", "SERVICE_NAME", "EVENTS_TIMEOUT"] {
            read(name, env(name), &file, &told);
        }
        assert_eq!(
            list(&told.into_inner()),
            "BROKER_URL from .env; CELERY_BROKER_URL, STAGING_NAME from the environment; CELERY_BROKER_URL wins over BROKER_URL"
        );
    }
}

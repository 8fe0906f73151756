//! The settings of a program. `environment` and `from_env` read them, `settings_builder` takes the values, `build_settings`
//! checks them, `values` holds them; `open` and `blob_store` open the servers that they name, and `declarations` says what a
//! service declares there.

mod blob_setters;
mod blob_settings;
mod blob_store;
mod build_settings;
mod check;
mod declarations;
mod dedup;
mod env_file;
mod environment;
mod from_env;
mod limit_setters;
mod open;
mod settings_builder;
#[cfg(test)]
mod tests;
mod values;

pub use dedup::Dedup;
pub use environment::{Environment, SettingSource};
pub use settings_builder::SettingsBuilder;
pub use values::Settings;

pub(crate) use blob_store::BlobBucket;

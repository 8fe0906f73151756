//! The integration tests of `zc-events`, in memory: one program, one module for each feature. No server is needed.
//!
//! `cargo test -p zc-events --all-features --test it retry` runs the tests of one feature. `docs/behaviours.md` says which
//! test holds which promise.

mod call;
mod consuming;
mod dead_letter;
mod dedup;
mod email;
mod eta;
mod index_rebuild;
#[cfg(feature = "metrics")]
mod metrics;
mod migrating;
mod notifications;
mod quarantine;
mod replay;
mod reply;
mod request;
mod request_body;
mod resource;
mod retry;
mod service_builder;
mod shutdown;
mod stuck_handler;
mod support;
mod testing_kit;

//! No secret in any output: passwords of the broker and of Redis, and the content of messages. The tests make calls fail in
//! every way, with all loggers at `trace`, and search log lines, errors and `Debug` output for the secret in every form.
//!
//! The host, port, virtual host and user name of a URL are no secrets: an operator needs them. The frames that amiquip logs
//! at `debug` and `trace` contain messages, so they are searched for credentials only; the README says so.

mod broker;
mod canary;
mod echoing_broker;
mod log_lines;
mod messages;
mod redis;
mod relay;
mod search;
mod settings;
mod urls;

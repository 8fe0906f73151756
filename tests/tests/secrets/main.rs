//! No secret in any output: passwords of the broker and of Redis, and what messages carry. Every way in which a call
//! can fail is taken, with all loggers at their most talkative, and what was logged, returned and shown is searched
//! for the secret in every form that it might take.
//!
//! Of a URL, host, port, virtual host and user name are no secrets: an operator needs them. What amiquip logs of
//! frames at `debug` and `trace` holds what messages carry, and so is searched for credentials only; the README says so.

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

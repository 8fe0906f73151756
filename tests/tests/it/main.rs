//! The tests beside real servers: one program, one module for each feature. `cargo xtask integration -- reconnect` runs
//! one of them.
//!
//! Two more programs are beside this one. `secrets` has a logger of its own, which records every line of the process.
//! `load` measures time and starts hundreds of threads; it runs one test at a time.

mod amqp;
mod cli;
mod connection_errors;
mod doctor;
mod end_to_end;
mod interop;
mod malformed;
mod notification_queue;
mod pending_set;
mod reconnect;
mod recovery;
mod reply_store;
mod s3;
mod service_log;
mod tls;

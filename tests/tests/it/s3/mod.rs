//! Contents in S3, on a server that speaks like it and checks each signature (s3s, by other people), which the tests
//! start themselves on a free port. It needs neither RabbitMQ nor Redis.

mod client;
mod conforms;
mod faults;
mod https;
mod refusals;
mod server;

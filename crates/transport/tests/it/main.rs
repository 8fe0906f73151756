//! The integration tests of the AMQP transport, beside brokers that each test makes up on a free port: one program. The
//! tests beside RabbitMQ are in the package `integration-tests`.

mod alarm;
mod fake_broker;
mod reconnect;

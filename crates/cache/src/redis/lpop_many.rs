//! Takes the values of many keys at once, without waiting: one LPOP for each key, sent in one go.

use r2d2_redis::redis::{Value, cmd};
use zc_events_protocol::Deadline;

use super::blpop::WAITING;
use super::connection::RedisConnection;
use super::connector::RedisConnector;
use super::error_mapping;
use super::io_failure::IoFailure;
use crate::{Error, Taken};

/// How many keys one batch has at most.
pub(super) const BATCH: usize = 256;

/// The oldest value of each of `keys` that has one, in the order of `keys`. A key for which a value may have been taken and
/// lost comes with an error; the connection is poisoned then.
pub(super) fn lpop_many(
    connector: &RedisConnector,
    connection: &mut RedisConnection,
    keys: &[&str],
    until: Deadline,
) -> Vec<Taken> {
    let (clock, url) = (&*connector.clock, &connector.url);
    let request: Vec<u8> = keys.iter().flat_map(|&key| cmd("LPOP").arg(key).get_packed_command()).collect();
    let mut taken: Vec<Taken> = Vec::new();
    let mut unanswered = keys.iter();
    let mut poisoned = false;
    let result = connection.send(&request, clock, until).and_then(|()| {
        connection.receive(keys.len(), clock, until, |reply| {
            let Some(&key) = unanswered.next() else { return };
            let value = match reply {
                Ok(Value::Nil) => return,
                Ok(Value::Data(value)) => Ok(value),
                Ok(_) => {
                    poisoned = true;
                    Err(error_mapping::connection_lost(url, WAITING, IoFailure::Garbage))
                }
                Err(error) => {
                    poisoned |= error_mapping::ends_connection(&error);
                    Err(error_mapping::refused(url, "to hand out an answer", &error))
                }
            };
            taken.push((key.to_owned(), value));
        })
    });
    if let Err(failure) = result {
        poisoned = true;
        if matches!(failure, IoFailure::TooLarge)
            && let Some(&key) = unanswered.next()
        {
            taken.push((key.to_owned(), Err(error_mapping::connection_lost(url, WAITING, IoFailure::TooLarge))));
        }
        let lost = match failure {
            IoFailure::TooLarge => Error::Unavailable {
                what: format!("the connection to Redis at {} was given up while {WAITING}", url.address()),
                source: None,
            },
            failure => error_mapping::connection_lost(url, WAITING, failure),
        };
        taken.extend(unanswered.map(|&key| (key.to_owned(), Err(lost.repeated()))));
    }
    if poisoned {
        connection.poison();
    }
    taken
}

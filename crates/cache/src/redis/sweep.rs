//! Takes what is there under many keys at once, without waiting. Who waits for it, and how often it is looked, is not
//! decided here.

use r2d2_redis::redis::{Value, cmd};
use zc_events_protocol::Deadline;

use super::commands::OVERDUE;
use super::connect::Connector;
use super::link::Trouble;
use super::pool::Lease;
use super::{WAITING, refusal};
use crate::{Result, Taken};

/// One LPOP for each of `keys`, in one go.
///
/// # Errors
/// Nothing was sent.
pub(super) fn sweep(connector: &Connector, mut lease: Lease, keys: &[&str], deadline: Deadline) -> Result<Vec<Taken>> {
    let (clock, url) = (&*connector.clock, &connector.url);
    let link = lease.link()?;
    let request: Vec<u8> = keys.iter().flat_map(|&key| cmd("LPOP").arg(key).get_packed_command()).collect();
    // What is taken must not be lost because the deadline passes on its way here.
    let until = deadline.max(clock.deadline(OVERDUE));
    let mut taken: Vec<Taken> = Vec::new();
    let mut waiting = keys.iter();
    let (mut spoilt, mut garbage) = (false, false);
    let result = link.send(&request, clock, until).and_then(|()| {
        link.receive(keys.len(), clock, until, |answer| {
            let Some(&key) = waiting.next() else { return };
            let value = match answer {
                Ok(Value::Nil) => return,
                Ok(Value::Data(value)) => Ok(value),
                Ok(_) => {
                    garbage = true;
                    Err(refusal::lost(url, WAITING, Trouble::Garbage))
                }
                Err(error) => {
                    spoilt |= refusal::ends_connection(&error);
                    Err(refusal::refused(url, "to hand over an answer", &error))
                }
            };
            taken.push((key.to_owned(), value));
        })
    });
    if let Err(trouble) = result {
        spoilt = true;
        let lost = refusal::lost(url, WAITING, trouble);
        taken.extend(waiting.map(|&key| (key.to_owned(), Err(lost.repeated()))));
    }
    if spoilt || garbage {
        link.spoil();
    }
    Ok(taken)
}

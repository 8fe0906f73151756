//! The methods that a broker may send to amiquip, and their arguments.
//!
//! - A text that is not UTF-8 (a publisher chooses the routing key) is made so, since amiquip would end the connection.
//! - A broker's request for no heartbeats is ignored.
//! - A method that amiquip does not understand ends the connection with a reason, since amiquip would quote the whole
//!   frame to the log and to the broker.

use std::ops::Range;

use super::bytes::{Fields, is_utf8};
use super::frame::Refusal;
use super::table;

/// An argument.
#[derive(Clone, Copy)]
enum Argument {
    /// A number or flags, of this many bytes.
    Fixed(usize),
    ShortString,
    LongString,
    Table,
}

use Argument::{Fixed, LongString, ShortString, Table};

const CONNECTION: u16 = 10;
const TUNE: (u16, u16) = (CONNECTION, 30);
/// A close carries a code, a text, and the method that caused it.
const CLOSE: &[Argument] = &[Fixed(2), ShortString, Fixed(4)];

/// The arguments of each method that amiquip understands as a client.
fn arguments(class: u16, method: u16) -> Option<&'static [Argument]> {
    Some(match (class, method) {
        // connection: start, tune, open-ok, close, close-ok, blocked, unblocked; not secure, which
        // amiquip would quote in its log and give up
        (CONNECTION, 10) => &[Fixed(2), Table, LongString, LongString],
        TUNE => &[Fixed(8)],
        (CONNECTION, 41) => &[ShortString],
        (CONNECTION, 50) => CLOSE,
        (CONNECTION, 51 | 61) => &[],
        (CONNECTION, 60) => &[ShortString],
        // channel: open-ok, close, close-ok
        (20, 11) => &[LongString],
        (20, 40) => CLOSE,
        (20, 41) => &[],
        // exchange: declare-ok, delete-ok, bind-ok, unbind-ok
        (40, 11 | 21 | 31 | 51) => &[],
        // queue: declare-ok, bind-ok, purge-ok, delete-ok, unbind-ok
        (50, 11) => &[ShortString, Fixed(8)],
        (50, 21 | 51) => &[],
        (50, 31 | 41) => &[Fixed(4)],
        // basic: qos-ok, consume-ok, cancel, cancel-ok, return, deliver, get-ok, get-empty,
        // ack, recover-ok, nack
        (60, 11 | 111) => &[],
        (60, 21 | 31 | 72) => &[ShortString],
        (60, 30) => &[ShortString, Fixed(1)],
        (60, 50) => &[Fixed(2), ShortString, ShortString, ShortString],
        (60, 60) => &[ShortString, Fixed(9), ShortString, ShortString],
        (60, 71) => &[Fixed(9), ShortString, ShortString, Fixed(4)],
        (60, 80 | 120) => &[Fixed(9)],
        // confirm: select-ok
        (85, 11) => &[],
        _ => return None,
    })
}

/// Checks the payload of a method frame and repairs its texts. Returns the frame size that the broker offers, if it
/// offers one.
pub(super) fn check(channel: u16, payload: &mut [u8]) -> Result<Option<u32>, Refusal> {
    let mut fields = Fields::new(payload);
    let (Some(class), Some(method)) = (fields.u16(), fields.u16()) else {
        return Err(Refusal::new("the broker sent a method that is cut off"));
    };
    let refused = |what: &str| Err(Refusal(format!("the broker sent method {class}.{method}, {what}")));
    let Some(arguments) = arguments(class, method) else {
        return refused("which is not one for a client");
    };
    if (class == CONNECTION) != (channel == 0) {
        return refused(&format!("which does not belong on channel {channel}"));
    }
    let mut offered = None;
    // Few methods have more than three texts.
    let mut broken: Vec<Range<usize>> = Vec::new();
    for argument in arguments {
        let whole = match argument {
            Fixed(size) => fields.take(*size).map(|bytes| {
                if (class, method) == TUNE {
                    offered = Fields::new(&bytes[2..]).u32();
                }
            }),
            ShortString => fields.short_string().map(|text| {
                if !is_utf8(text) {
                    broken.push(fields.last(text.len()));
                }
            }),
            LongString => match fields.long_string() {
                Some(text) if !is_utf8(text) => return refused("with a text that is not UTF-8"),
                text => text.map(drop),
            },
            Table => match fields.long_string().map(table::check) {
                Some(Err(defect)) => return refused(&format!("with a table that cannot be read ({})", defect.code())),
                table => table.map(drop),
            },
        };
        if whole.is_none() {
            return refused("but it is cut off");
        }
    }
    if (class, method) == TUNE
        && let Some(heartbeat @ [0, 0]) = payload.last_chunk_mut::<2>()
    {
        // amiquip takes the lower value of both sides, and with 0 it would never notice a dead connection. The client's
        // answer counts.
        *heartbeat = [0xFF; 2];
    }
    for range in broken {
        payload[range].iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
    }
    Ok(offered)
}

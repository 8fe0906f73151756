//! The guard in front of amiquip's parser. Input: the number of slices, the slices, then the bytes of a broker.

use crate::input::Reader;

/// Sends a broker's bytes through the guard, whole and in slices; see `zc_events_transport::fuzzing`.
pub fn run(data: &[u8]) {
    let mut reader = Reader::new(data);
    let splits = reader.bytes();
    zc_events_transport::fuzzing::guard(reader.rest(), splits);
}

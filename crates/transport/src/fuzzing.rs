//! Entry points for fuzzing. Each panics where a promise is broken, and on nothing else.

use crate::amqp::guard::drive;

/// Sends `bytes` through the guard in front of the AMQP parser, once in one piece and once
/// sliced as `splits` says (see below), and checks that both give the same, and nothing
/// but whole frames that the parser accepts.
///
/// Each byte of `splits` is how many bytes the next read gives, in turn and over again: 0
/// is a read that would block, 255 gives all that is left.
///
/// # Panics
/// When one of that does not hold.
pub fn guard(bytes: &[u8], splits: &[u8]) {
    let whole = drive::run(bytes, &[]);
    let sliced = drive::run(bytes, splits);
    assert_eq!(whole, sliced, "slicing changed what was released");
    drive::assert_frames(&whole.released);
}

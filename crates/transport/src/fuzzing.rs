//! Entry points for fuzzing. Each panics only if a promise is broken.

use crate::amqp::guard::harness;

/// Sends `bytes` through the guard in front of the AMQP parser, once in one piece and once sliced by `splits`. Checks
/// that both give the same result, and only whole frames that the parser accepts.
///
/// Each byte of `splits` is the number of bytes that the next read gives; the list repeats. 0 is a read that would
/// block, 255 gives all that is left.
///
/// # Panics
/// If one of the checks fails.
pub fn guard(bytes: &[u8], splits: &[u8]) {
    let whole = harness::run(bytes, &[]);
    let sliced = harness::run(bytes, splits);
    assert_eq!(whole, sliced, "slicing changed what was released");
    harness::assert_frames(&whole.released);
}

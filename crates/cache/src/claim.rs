//! What a claim on a piece of work finds. Who claims, and under which keys, is the callers' business.

use std::fmt;
use std::time::Duration;

/// What [`ReplyStore::claim`](crate::ReplyStore::claim) found. `Debug` shows no record.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The work is ours until the lease ends.
    Granted,
    /// Somebody else holds the lease.
    Held {
        /// For how long at the most, unless he renews it. Never zero.
        for_at_most: Duration,
    },
    /// It was completed; what was recorded.
    Completed(Vec<u8>),
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::Granted => f.write_str("Granted"),
            Claim::Held { for_at_most } => f.debug_struct("Held").field("for_at_most", for_at_most).finish(),
            Claim::Completed(record) => write!(f, "Completed({} bytes)", record.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_record() {
        assert_eq!(format!("{:?}", Claim::Completed(b"canary".to_vec())), "Completed(6 bytes)");
    }
}

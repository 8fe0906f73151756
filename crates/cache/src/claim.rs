//! The result of a claim on a piece of work.

use std::fmt;
use std::time::Duration;

/// The result of [`ReplyStore::claim`](crate::ReplyStore::claim). `Debug` shows no record.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The owner that claimed has the work until the lease ends.
    Granted,
    /// Another owner holds the lease.
    Held {
        /// The time until the lease ends, unless its owner renews it. Never zero.
        for_at_most: Duration,
    },
    /// The work is completed. Holds the record.
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

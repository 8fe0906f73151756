//! A message on its way in, and the way back for the verdict on it.

use std::fmt;
use std::sync::Arc;

use zc_events_protocol::Properties;

/// A message taken from a queue. It stays the queue's until its [`Settler`] was given a verdict.
#[derive(Clone)]
pub struct Delivery {
    /// The exchange it was published to, empty for the default one.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Its properties and headers.
    pub properties: Properties,
    /// Its body.
    pub body: Vec<u8>,
    /// Carries the verdict back.
    pub settler: Settler,
    /// Why its headers could not be read, where they could not: a stable name, such as
    /// `headers_too_deep`, `headers_too_large`, `headers_not_utf8`, `headers_unknown_type`,
    /// `headers_malformed`, `properties_not_utf8` or `properties_malformed`. It then has no
    /// headers, and of the other properties those that could be read; the body is whole.
    pub defect: Option<&'static str>,
}

impl fmt::Debug for Delivery {
    /// Without the body and the headers' values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("exchange", &self.exchange)
            .field("routing_key", &self.routing_key)
            .field("redelivered", &self.redelivered)
            .field("properties", &self.properties)
            .field("body_len", &self.body.len())
            .field("settler", &self.settler)
            .field("defect", &self.defect)
            .finish()
    }
}

/// What the broker does with a delivered message. An implementation of [`Settle`] handles all cases, so there will be no
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The broker deletes the message.
    Ack,
    /// The message goes back into the queue, and is delivered again with the redelivered flag.
    Requeue,
    /// The message goes to the queue's dead letter exchange; without one it is deleted.
    Reject,
}

/// How an implementation receives verdicts.
pub trait Settle: Send + Sync {
    /// Takes the verdict on the delivery with this number. A second verdict is ignored. So is a verdict after the
    /// connection is lost, because the broker has put the message back.
    fn settle(&self, tag: u64, verdict: Verdict);
}

/// Carries the verdict on one delivery back to the thread that owns the connection.
/// Never blocks, never fails; see [`Settle::settle`].
#[derive(Clone)]
pub struct Settler {
    tag: u64,
    target: Arc<dyn Settle>,
}

impl Settler {
    /// The settler of delivery number `tag`.
    #[must_use]
    pub fn new(tag: u64, target: Arc<dyn Settle>) -> Self {
        Self { tag, target }
    }

    /// Gives the verdict.
    pub fn settle(&self, verdict: Verdict) {
        self.target.settle(self.tag, verdict);
    }

    /// [`Verdict::Ack`].
    pub fn ack(&self) {
        self.settle(Verdict::Ack);
    }
}

impl fmt::Debug for Settler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settler").field("tag", &self.tag).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zc_events_protocol::Headers;

    struct NoConnection;

    impl Settle for NoConnection {
        fn settle(&self, _: u64, _: Verdict) {}
    }

    #[test]
    fn debug_shows_no_content() {
        let headers = Headers::from([("token".to_owned(), "hush".into())]);
        let delivery = Delivery {
            exchange: "ex".to_owned(),
            routing_key: String::new(),
            redelivered: false,
            properties: Properties { headers: Some(headers), ..Properties::default() },
            body: b"hush".to_vec(),
            settler: Settler::new(1, Arc::new(NoConnection)),
            defect: None,
        };
        let shown = format!("{delivery:?}");
        assert!(shown.contains("body_len: 4") && shown.contains("token"), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("104, 117"), "{shown}");
    }
}

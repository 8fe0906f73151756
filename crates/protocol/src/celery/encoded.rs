//! An encoded message.

use std::fmt;

use crate::Properties;

/// A message ready to be sent.
#[derive(Clone, PartialEq)]
pub struct Encoded {
    /// The properties, headers included.
    pub properties: Properties,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Encoded {
    /// Without the body, and without the headers, which repeat it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("priority", &self.properties.priority)
            .field("correlation_id", &self.properties.correlation_id)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

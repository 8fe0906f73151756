//! What a call inherits from the message in whose handler it is made: the ids that tie them
//! together, and the deadline. Who sets it is the service's business.

use zc_events_protocol::{Deadline, names};

/// The circumstances of calls made within a handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The message that began it all.
    pub(crate) root_id: Option<String>,
    /// The message in whose handler the calls are made.
    pub(crate) parent_id: Option<String>,
    /// When the handler's own caller gives up; nothing made within it waits longer.
    pub(crate) deadline: Option<Deadline>,
    /// The number of the message among those of this process.
    pub(crate) message: Option<u64>,
}

impl Scope {
    /// Without ids that are no ids: peers write them, and they go out again in headers.
    pub(super) fn trusted(self) -> Self {
        let fit = |id: &String| {
            !id.is_empty() && id.len() <= names::MAX_NAME && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        Self {
            root_id: self.root_id.filter(fit),
            parent_id: self.parent_id.filter(fit),
            deadline: self.deadline,
            message: self.message,
        }
    }
}

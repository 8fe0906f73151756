//! A call within a handler inherits two ids and the deadline from the handled message. The service sets them.

use zc_events_protocol::{Deadline, names};

/// What calls within a handler inherit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The id of the first message of the chain (`root_id`).
    pub(crate) root_id: Option<String>,
    /// The id of the handled message (`parent_id`).
    pub(crate) parent_id: Option<String>,
    /// When the caller of the handler gives up. No call within the handler waits longer.
    pub(crate) deadline: Option<Deadline>,
    /// The number of the message in this process.
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

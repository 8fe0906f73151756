//! Limits for the size and depth of received messages. They are checked before memory is allocated.

/// The limits for received messages and replies.
///
/// ```
/// use zc_events_protocol::Limits;
/// let limits = Limits { body: 1024, ..Limits::default() };
/// assert_eq!(limits.depth, 128);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body or a reply as received. The default is 16 MiB.
    pub body: usize,
    /// Bytes of a body or a reply after decompression. The default is 64 MiB.
    pub inflated: usize,
    /// How many times larger a body may become by decompression. The default is 200. It does not apply up to
    /// [`Limits::RATIO_FLOOR`]: replies of repeated text reach 600.
    pub ratio: usize,
    /// How deep arrays and objects may be nested. The default is 128 levels.
    pub depth: usize,
}

impl Limits {
    /// Size up to which [`Limits::ratio`] does not apply: 1 MiB.
    pub const RATIO_FLOOR: usize = 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 * 1024 * 1024, inflated: 64 * 1024 * 1024, ratio: 200, depth: 128 }
    }
}

//! How much a message may ask of its reader. Checked before anything is allocated for it.

/// The bounds within which messages and replies are read.
///
/// ```
/// use zc_events_protocol::Limits;
/// let limits = Limits { body: 1024, ..Limits::default() };
/// assert_eq!(limits.depth, 128);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body or a reply as it arrives. 16 MiB.
    pub body: usize,
    /// Bytes of a body or a reply after it was decompressed. 64 MiB.
    pub inflated: usize,
    /// How many times larger than its compressed form a body may become. 200, and not looked at up to
    /// [`Limits::RATIO_FLOOR`]: honest replies of repeated text reach 600.
    pub ratio: usize,
    /// How deep arrays and objects may nest. 128.
    pub depth: usize,
}

impl Limits {
    /// Bytes up to which [`Limits::ratio`] is not looked at: 1 MiB.
    pub const RATIO_FLOOR: usize = 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 * 1024 * 1024, inflated: 64 * 1024 * 1024, ratio: 200, depth: 128 }
    }
}

//! One request to S3, before it is signed and sent.

/// A call on one blob.
pub(super) struct S3Request<'a> {
    pub(super) method: &'static str,
    /// The action as an error shows it: "store".
    pub(super) action: &'static str,
    pub(super) key: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
}

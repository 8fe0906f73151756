//! Why a message cannot be read. The texts are for people and never repeat the content of a body.
//! [`DecodeError::reason`] is for machines.

/// Why received bytes cannot be read as a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The content type is not JSON. Pickle and YAML are never read.
    #[error("the content type is `{found}`; only application/json is accepted")]
    ContentType {
        /// The content type, shortened.
        found: String,
    },
    /// The character set of the body is not UTF-8.
    #[error("the content encoding is `{found}`; only utf-8 is accepted")]
    Charset {
        /// The character set, shortened.
        found: String,
    },
    /// The compression method is not supported.
    #[error("the compression is `{found}`; only zlib, gzip and bzip2 are accepted")]
    Compression {
        /// The method, shortened.
        found: String,
    },
    /// The compressed body is damaged, cut short or not compressed.
    #[error("the body cannot be decompressed: it is damaged, cut short or not compressed")]
    Inflate,
    /// Something is larger than the [`Limits`](crate::Limits).
    #[error("the {what} is larger than the limit of {limit} bytes{}", .size.map(|size| format!(": {size} bytes")).unwrap_or_default())]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size, if it is known.
        size: Option<usize>,
        /// The limit.
        limit: usize,
    },
    /// Arrays and objects are nested deeper than the limit.
    #[error("the body is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The body is not valid UTF-8.
    #[error("the body is not valid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// The body begins with a byte order mark, which JSON does not allow.
    #[error("the body begins with a byte order mark")]
    ByteOrderMark,
    /// The body contains `NaN`, `Infinity` or `-Infinity`. Python writes them, but they are not JSON.
    #[error("the body contains NaN or Infinity at byte {at}, which is not JSON")]
    NotANumber {
        /// Offset of the literal.
        at: usize,
    },
    /// The body contains an integer below -2^63, or of 2^64 and above.
    #[error("the body contains an integer of more than 64 bits at byte {at}")]
    IntegerOutOfRange {
        /// Offset of the number.
        at: usize,
    },
    /// The body contains a number that is too large for a 64-bit float, such as `1e400`.
    #[error("the body contains a number at byte {at} that is too large for a 64-bit float")]
    FloatOutOfRange {
        /// Offset of the number.
        at: usize,
    },
    /// The body contains an unpaired surrogate, such as `\ud83c` alone.
    #[error("the body contains an unpaired surrogate at byte {at}")]
    LoneSurrogate {
        /// Offset of the escape.
        at: usize,
    },
    /// The body is not valid JSON.
    #[error("the body is not valid JSON at byte {at}")]
    Malformed {
        /// Offset of the first wrong byte.
        at: usize,
    },
    /// The body is empty.
    #[error("the body is empty")]
    Empty,
    /// There is no `task` header and no `task` key in the body: the message is not Celery's.
    #[error("not a task: there is no `task` header and no `task` key in the body")]
    NotATask,
    /// A header that protocol 2 requires is missing. amiquip drops the headers after one that it cannot read.
    #[error("the header `{name}` is missing")]
    MissingHeader {
        /// Its name.
        name: &'static str,
    },
    /// A field has an invalid value.
    #[error("`{name}` {why}")]
    BadField {
        /// Its name.
        name: &'static str,
        /// What is wrong with it, such as "is not a list".
        why: &'static str,
    },
    /// A `{"__type__": .., "__value__": ..}` object of kombu has an unknown type or an invalid value.
    #[error("a value of the Python type `{name}` cannot be read")]
    KombuType {
        /// The type, shortened.
        name: String,
    },
}

impl DecodeError {
    /// A short name of the variant, for the header of a dead letter or the label of a metric. It does not change
    /// between versions.
    ///
    /// ```
    /// use zc_events_protocol::DecodeError;
    /// assert_eq!(DecodeError::NotANumber { at: 5 }.reason(), "not_a_number");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::ContentType { .. } => "content_type",
            DecodeError::Charset { .. } => "charset",
            DecodeError::Compression { .. } => "compression",
            DecodeError::Inflate => "inflate",
            DecodeError::TooLarge { .. } => "too_large",
            DecodeError::TooDeep { .. } => "too_deep",
            DecodeError::InvalidUtf8 { .. } => "invalid_utf8",
            DecodeError::ByteOrderMark => "byte_order_mark",
            DecodeError::NotANumber { .. } => "not_a_number",
            DecodeError::IntegerOutOfRange { .. } => "integer_out_of_range",
            DecodeError::FloatOutOfRange { .. } => "float_out_of_range",
            DecodeError::LoneSurrogate { .. } => "lone_surrogate",
            DecodeError::Malformed { .. } => "malformed",
            DecodeError::Empty => "empty",
            DecodeError::NotATask => "not_a_task",
            DecodeError::MissingHeader { .. } => "missing_header",
            DecodeError::BadField { .. } => "bad_field",
            DecodeError::KombuType { .. } => "rich_type",
        }
    }
}

/// Text from a peer as an error may show it: at most 64 characters, without control characters.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

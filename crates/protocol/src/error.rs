//! Why a message could not be read or written. Messages are for people and never repeat
//! what a body holds; [`DecodeError::reason`] is for machines.

/// Why bytes that arrived are not a message, or not one that is understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is not JSON by its content type. Pickle and YAML are never opened.
    #[error("the content type is `{found}`; only application/json is read")]
    ContentType {
        /// The content type, shortened.
        found: String,
    },
    /// The body is in a character set other than UTF-8.
    #[error("the content encoding is `{found}`; only utf-8 is read")]
    Charset {
        /// The character set, shortened.
        found: String,
    },
    /// The body is compressed by a method that is not known here.
    #[error("the compression is `{found}`; only zlib, gzip and bzip2 are read")]
    Compression {
        /// The method, shortened.
        found: String,
    },
    /// The compressed body is damaged, cut short, or not compressed at all.
    #[error("the body does not decompress: it is damaged, cut short, or not compressed at all")]
    Inflate,
    /// Something is larger than the [`Limits`](crate::Limits).
    #[error("the {what} is larger than the limit of {limit} bytes{}", .size.map(|size| format!(": {size} bytes")).unwrap_or_default())]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size, where reading stopped late enough to know it.
        size: Option<usize>,
        /// The limit.
        limit: usize,
    },
    /// Arrays and objects nest deeper than the limit.
    #[error("the body nests deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 from byte {at} on")]
    InvalidUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// The body begins with a byte order mark, which JSON does not allow.
    #[error("the body begins with a byte order mark")]
    ByteOrderMark,
    /// The body holds `NaN`, `Infinity` or `-Infinity`, which Python writes and JSON does not know.
    #[error("the body holds NaN or Infinity at byte {at}, which is not JSON")]
    NotANumber {
        /// Offset of the word.
        at: usize,
    },
    /// The body holds an integer below -2^63 or from 2^64 on.
    #[error("the body holds an integer of more than 64 bits at byte {at}")]
    IntegerOutOfRange {
        /// Offset of the number.
        at: usize,
    },
    /// The body holds a number that is too large for a double, such as `1e400`.
    #[error("the body holds a number that no double can hold at byte {at}")]
    FloatOutOfRange {
        /// Offset of the number.
        at: usize,
    },
    /// The body holds half of a surrogate pair, such as `\ud83c` alone.
    #[error("the body holds half of a surrogate pair at byte {at}")]
    LoneSurrogate {
        /// Offset of the escape.
        at: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON from byte {at} on")]
    Malformed {
        /// Offset of the first byte that does not belong.
        at: usize,
    },
    /// There is no body.
    #[error("the body is empty")]
    Empty,
    /// Neither a `task` header nor a `task` key: not a message of Celery's.
    #[error("not a task: there is neither a `task` header nor a `task` in the body")]
    NotATask,
    /// A header that protocol 2 requires is missing. amiquip drops headers after one that it cannot read.
    #[error("the header `{name}` is missing")]
    MissingHeader {
        /// Its name.
        name: &'static str,
    },
    /// A field has a value that makes no sense.
    #[error("`{name}` {why}")]
    BadField {
        /// Its name.
        name: &'static str,
        /// What is wrong with it, as in "is not a list".
        why: &'static str,
    },
    /// A `{"__type__": .., "__value__": ..}` object of Celery 5 of an unknown type, or with a bad value.
    #[error("a value of the Python type `{name}` cannot be read")]
    RichType {
        /// The type, shortened.
        name: String,
    },
}

impl DecodeError {
    /// A short name of the variant that does not change between versions, for a header of a
    /// dead letter or the label of a metric.
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
            DecodeError::RichType { .. } => "rich_type",
        }
    }
}

/// Why a message cannot be put on the wire. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The type's own `Serialize` failed, or it has no form in JSON, such as a map whose keys are lists.
    #[error("the value of `{what}` has no form in JSON: {why}")]
    Serialize {
        /// The argument, key or part that was being written.
        what: String,
        /// What `Serialize` said.
        why: String,
    },
    /// A float is NaN or infinite. Python writes such words, and half of its readers choke on them.
    #[error("the value of `{what}` holds NaN or an infinity, which JSON does not know")]
    NotFinite {
        /// The argument, key or part that was being written.
        what: String,
    },
    /// An integer is below -2^63 or from 2^64 on.
    #[error("the value of `{what}` holds an integer of more than 64 bits")]
    IntegerOutOfRange {
        /// The argument, key or part that was being written.
        what: String,
    },
    /// Nested deeper than Python can be trusted with: 900 levels kill a Celery worker.
    #[error("`{what}` nests deeper than {limit} levels")]
    TooDeep {
        /// The argument, key or part that was being written.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// Larger than what a reader would accept.
    #[error("the {what} is {size} bytes long; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A name that is empty or otherwise unfit.
    #[error("the {what} {why}")]
    BadName {
        /// What the name is for.
        what: &'static str,
        /// What is wrong with it, as in "is empty".
        why: &'static str,
    },
    /// A keyword that has a meaning of its own in the envelope.
    #[error("`{key}` is a reserved keyword; use {instead}")]
    ReservedKey {
        /// The keyword.
        key: &'static str,
        /// What to use in its place.
        instead: &'static str,
    },
    /// A point in time that is not between the years 1 and 9999.
    #[error("`{what}` is not between the years 1 and 9999")]
    Time {
        /// Which one.
        what: &'static str,
    },
}

/// What a peer wrote, in a length fit for an error message and free of control characters.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

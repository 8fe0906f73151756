//! Why a message cannot be encoded. The texts are for people.

/// Why a message cannot be encoded. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The type's `Serialize` failed, or JSON cannot express the value, such as a map whose keys are lists.
    #[error("the value of `{what}` cannot be written as JSON: {why}")]
    Serialize {
        /// The argument, key or part.
        what: String,
        /// The error of `Serialize`.
        why: String,
    },
    /// A float is NaN or infinite. Python writes such values, but many JSON readers refuse them.
    #[error("the value of `{what}` contains NaN or infinity, which JSON cannot express")]
    NotFinite {
        /// The argument, key or part.
        what: String,
    },
    /// An integer is below -2^63, or 2^64 and above.
    #[error("the value of `{what}` contains an integer of more than 64 bits")]
    IntegerOutOfRange {
        /// The argument, key or part.
        what: String,
    },
    /// The value is nested too deep for Python: 900 levels kill a Celery worker.
    #[error("`{what}` is nested deeper than {limit} levels")]
    TooDeep {
        /// The argument, key or part.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// Something is larger than receivers accept.
    #[error("the {what} is {size} bytes long; at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A name is empty or not allowed.
    #[error("the {what} {why}")]
    BadName {
        /// What has the name.
        what: &'static str,
        /// What is wrong with it, such as "is empty".
        why: &'static str,
    },
    /// The envelope uses this keyword itself.
    #[error("`{key}` is a reserved keyword; use {instead}")]
    ReservedKey {
        /// The keyword.
        key: &'static str,
        /// What to use instead.
        instead: &'static str,
    },
    /// A time is not between the years 1 and 9999.
    #[error("`{what}` is not between the years 1 and 9999")]
    Time {
        /// Which one.
        what: &'static str,
    },
}

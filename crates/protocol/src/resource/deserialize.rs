//! Deserialization of any JSON value. Errors name the location and hold no value. Resources are in `typed`.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::mismatch::Mismatch;
use super::value_deserializer::ValueDeserializer;

/// Deserializes a JSON value, such as the payload of an event or the data of a call. Struct fields also match names in
/// camelCase and with hyphens.
///
/// ```
/// use serde_json::json;
/// use zc_events_protocol::resource::deserialize;
///
/// #[derive(serde::Deserialize)]
/// struct Add {
///     x: i64,
///     y: i64,
/// }
///
/// let Add { x, y } = deserialize(&json!({"x": 2, "y": 3}))?;
/// assert_eq!(x + y, 5);
/// let error = deserialize::<Add>(&json!({"x": 2, "y": "hush"})).err().unwrap();
/// assert_eq!(error.to_string(), "`y`: invalid type: string, expected i64");
/// # Ok::<(), zc_events_protocol::resource::DeserializeError>(())
/// ```
///
/// # Errors
/// [`DeserializeError`] says where the value does not match and what was expected. It holds no value.
pub fn deserialize<T: DeserializeOwned>(value: &Value) -> Result<T, DeserializeError> {
    T::deserialize(ValueDeserializer::new(value)).map_err(DeserializeError)
}

/// Why a value does not match a type.
pub struct DeserializeError(Mismatch);

impl DeserializeError {
    /// The path to the part that does not match, such as `lines[2].price`. `None` for the value as a whole.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        (!self.0.at.path.is_empty()).then_some(&self.0.at.path)
    }

    /// The same as a JSON pointer, such as `/lines/2/price`. A missing field has its pointer too. Empty for the value
    /// as a whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.0.at.pointer
    }

    /// Whether a field is missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.0.is_missing
    }

    /// What was expected, and which kind of value was found.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.0.problem
    }
}

impl fmt::Display for DeserializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "`{path}`: {}", self.0.problem),
            None => f.write_str(&self.0.problem),
        }
    }
}

impl fmt::Debug for DeserializeError {
    /// Without the error of the type's own implementation, which may quote the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeserializeError").field("path", &self.path()).field("problem", &self.problem()).finish()
    }
}

impl std::error::Error for DeserializeError {}

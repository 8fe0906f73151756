//! Fitting any JSON value into a type, as resources are: with errors that say where and hold no value. Resources are
//! not known here.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::json::Json;
use super::mismatch::Mismatch;

/// Fits a JSON value into a type of yours: what an event carries, or a call. Fields of a struct are also found under
/// their camelCase and hyphenated names.
///
/// ```
/// use serde_json::json;
/// use zc_events_protocol::resource::fit;
///
/// #[derive(serde::Deserialize)]
/// struct Add {
///     x: i64,
///     y: i64,
/// }
///
/// let Add { x, y } = fit(&json!({"x": 2, "y": 3}))?;
/// assert_eq!(x + y, 5);
/// let misfit = fit::<Add>(&json!({"x": 2, "y": "hush"})).err().unwrap();
/// assert_eq!(misfit.to_string(), "`y`: invalid type: string, expected i64");
/// # Ok::<(), zc_events_protocol::resource::Misfit>(())
/// ```
///
/// # Errors
/// [`Misfit`] says where and what was expected, and holds no value.
pub fn fit<T: DeserializeOwned>(value: &Value) -> Result<T, Misfit> {
    T::deserialize(Json::new(value)).map_err(Misfit)
}

/// Why a value does not fit a type.
pub struct Misfit(Mismatch);

impl Misfit {
    /// The path to what does not fit, such as `lines[2].price`; none where it is the value as a whole.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        (!self.0.at.path.is_empty()).then_some(&self.0.at.path)
    }

    /// The same as a JSON pointer, such as `/lines/2/price`; that of a missing field, too. Empty for the value as a
    /// whole.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.0.at.pointer
    }

    /// Whether nothing is there that could fit: a field got no value.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.0.is_missing
    }

    /// What was expected, and the kind of what was found.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.0.problem
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Some(place) => write!(f, "`{place}`: {}", self.0.problem),
            None => f.write_str(&self.0.problem),
        }
    }
}

impl fmt::Debug for Misfit {
    /// Without the words of the type's own implementation, which may quote the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Misfit").field("place", &self.place()).field("problem", &self.problem()).finish()
    }
}

impl std::error::Error for Misfit {}

//! What a request asks to be done, in HTTP's words.

use std::fmt;
use std::str::FromStr;

/// The method of a request or a call.
///
/// ```
/// use zc_events_protocol::Method;
/// assert_eq!("patch".parse(), Ok(Method::Patch));
/// assert_eq!(Method::Get.to_string(), "GET");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Read one or many.
    Get,
    /// Create; or run a job.
    Post,
    /// Replace.
    Put,
    /// Change a part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// In capitals, as on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not one of the five methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a method: use GET, POST, PUT, PATCH or DELETE")]
pub struct UnknownMethod;

impl FromStr for Method {
    type Err = UnknownMethod;

    /// In whatever case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete]
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownMethod)
    }
}

//! JSON web tokens as the Django services of a fleet create and check them: HS256 with their `SECRET_KEY`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::{Error, EventClient, Result};

/// The header of each token, as PyJWT 2 writes it.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// The largest token, in bytes; HTTP headers are shorter.
const MAX_BYTES: usize = 16 * 1024;
/// The schemes before a token in an HTTP header.
const SCHEMES: [&str; 2] = ["JWT", "Bearer"];

/// A verified token. `Debug` shows only the names of its claims.
///
/// ```
/// # use zc_events::{Error, EventClient, Settings};
/// let settings = Settings::builder().broker_url("memory://").staging_name("test").secret_key("hush").build()?;
/// let client = EventClient::new(settings)?;
/// let token = client.sign_jwt(&serde_json::json!({"roles": ["user"], "id": "56"}))?;
/// let caller = client.verify_jwt(&format!("JWT {token}"))?;
/// assert!(caller.has_role("user") && !caller.has_role("staff"));
/// assert_eq!(caller.id(), Some(&"56".into()));
/// assert!(matches!(client.verify_jwt("not.a.token"), Err(Error::Token { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Jwt {
    claims: Map<String, Value>,
}

impl Jwt {
    /// The claim `id`, which identifies the user; `None` if it is missing or null.
    #[must_use]
    pub fn id(&self) -> Option<&Value> {
        self.claim("id").filter(|id| !id.is_null())
    }

    /// The claim `roles`.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        match self.claim("roles") {
            Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(role)) => vec![role],
            _ => Vec::new(),
        }
    }

    /// Whether the claim `roles` contains this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().contains(&role)
    }

    /// The claim of this name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("claims", &self.claims.keys().collect::<Vec<_>>()).finish()
    }
}

impl EventClient {
    /// Creates a token with these claims, which must be an object, and signs it: HS256 with `SECRET_KEY`. It expires only if
    /// there is a claim `exp`.
    ///
    /// # Errors
    /// [`Error::Config`] without a `SECRET_KEY`; [`Error::Encode`] for claims that are not an object.
    #[doc(alias = "jwt_encode_handler")]
    pub fn sign_jwt<T: Serialize + ?Sized>(&self, claims: &T) -> Result<String> {
        let mut signer = signer(self)?;
        let refused = |why: String| Error::Encode { source: format!("the claims of a JSON web token: {why}").into() };
        // As text: a JSON value would sort the claims.
        let claims = serde_json::to_string(claims).map_err(|error| refused(error.to_string()))?;
        if !claims.starts_with('{') {
            return Err(refused("they must be an object".to_owned()));
        }
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        signer.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signer.finalize().into_bytes());
        Ok(format!("{signed}.{signature}"))
    }

    /// Verifies a received token, for example from a header of an HTTP request or of a call. It may start with `JWT` or
    /// `Bearer`. As in djangorestframework-jwt, the token must be signed with `SECRET_KEY` and HS256, must not have expired
    /// (`exp`), must be valid already (`nbf`, by the clock of the settings), and must have no audience (`aud`). No other
    /// algorithm is accepted, in particular not `none`.
    ///
    /// # Errors
    /// [`Error::Config`] without a `SECRET_KEY`; [`Error::Token`] says why the token is not accepted.
    #[doc(alias = "jwt_decode_handler")]
    pub fn verify_jwt(&self, token: &str) -> Result<Jwt> {
        let signer = signer(self)?;
        let now = self.inner().clock().wall();
        verify(signer, bare(token), now).map(|claims| Jwt { claims }).map_err(|why| Error::Token { why })
    }
}

fn signer(client: &EventClient) -> Result<Hmac<Sha256>> {
    let key = client.settings().secret_key.as_ref().ok_or_else(|| {
        Error::config(
            "SECRET_KEY is not set: it signs JSON web tokens; set it to the SECRET_KEY of the Django services",
        )
    })?;
    // A key may have any length.
    Hmac::new_from_slice(key.as_bytes()).map_err(|_| Error::config("SECRET_KEY cannot be used as a signing key"))
}

/// The token without the scheme of an HTTP header.
fn bare(token: &str) -> &str {
    let token = token.trim();
    match token.split_once(' ') {
        Some((scheme, rest)) if SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) => rest.trim(),
        _ => token,
    }
}

fn verify(mut signer: Hmac<Sha256>, token: &str, now: SystemTime) -> Result<Map<String, Value>, &'static str> {
    if token.len() > MAX_BYTES {
        return Err("it is longer than 16384 bytes");
    }
    const FORM: &str = "it is not a valid token";
    let (signed, signature) = token.rsplit_once('.').ok_or(FORM)?;
    let (header, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(FORM)?;
    let header = object(header).ok_or(FORM)?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err("its algorithm is not HS256");
    }
    if header.contains_key("crit") {
        return Err("it requires an unsupported extension (`crit`)");
    }
    signer.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| FORM)?;
    // In constant time, and before the claims are read.
    signer
        .verify_slice(&signature)
        .map_err(|_| "its signature is wrong: it was changed, or signed with another key")?;
    let claims = object(claims).ok_or(FORM)?;
    let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or("`exp` or `nbf` is not a number"),
    };
    if time("exp")?.is_some_and(|exp| exp <= now) {
        return Err("it has expired");
    }
    if time("nbf")?.is_some_and(|nbf| nbf > now) {
        return Err("it is not valid yet (`nbf`)");
    }
    if claims.get("aud").is_some_and(|aud| !aud.is_null()) {
        return Err("it has an audience (`aud`)");
    }
    Ok(claims)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests;

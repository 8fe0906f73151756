//! The TLS parameters of a Redis URL, as redis-py names them.

use std::path::PathBuf;

use zc_events_net::TlsOptions;

/// The names of the parameters.
pub(super) const NAMES: [&str; 5] =
    ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"];

/// Sets one parameter, its value decoded.
///
/// # Errors
/// The parameter would disable the verification of the server.
pub(super) fn set(options: &mut TlsOptions, name: &str, value: &str) -> Result<(), &'static str> {
    let file = Some(PathBuf::from(value)).filter(|_| !value.is_empty());
    match (name, value.to_ascii_lowercase().as_str()) {
        ("ssl_ca_certs", _) => options.ca_file = file,
        ("ssl_certfile", _) => options.cert_file = file,
        ("ssl_keyfile", _) => options.key_file = file,
        ("ssl_cert_reqs", "required" | "cert_required") | ("ssl_check_hostname", "true" | "1" | "yes") => {}
        _ => {
            return Err(
                "ssl_cert_reqs and ssl_check_hostname cannot disable the verification of the server; set ssl_ca_certs to its \
                 CA certificate",
            );
        }
    }
    Ok(())
}

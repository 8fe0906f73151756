//! What a Redis URL says of TLS, in redis-py's parameters: whom to believe, and what to show. The handshake is in `link`.

use std::path::PathBuf;

use zc_events_net::TlsOptions;

/// The parameters.
pub(super) const NAMES: [&str; 5] =
    ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"];

/// Takes one of them, its value decoded.
///
/// # Errors
/// It would turn the verification off.
pub(super) fn take(options: &mut TlsOptions, name: &str, value: &str) -> Result<(), &'static str> {
    let file = Some(PathBuf::from(value)).filter(|_| !value.is_empty());
    match (name, value.to_ascii_lowercase().as_str()) {
        ("ssl_ca_certs", _) => options.ca_file = file,
        ("ssl_certfile", _) => options.cert_file = file,
        ("ssl_keyfile", _) => options.key_file = file,
        ("ssl_cert_reqs", "required" | "cert_required") | ("ssl_check_hostname", "true" | "1" | "yes") => {}
        _ => {
            return Err(
                "ssl_cert_reqs and ssl_check_hostname cannot turn the verification of the server off; who vouches for it \
                        is named by ssl_ca_certs",
            );
        }
    }
    Ok(())
}

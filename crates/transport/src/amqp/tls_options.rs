//! The TLS parameters of a broker URL, named as in RabbitMQ's own clients. The handshake is in `socket`.

use std::path::PathBuf;

use zc_events_net::TlsOptions;

use crate::{Error, Result};

/// The names of the parameters.
pub(super) const NAMES: [&str; 5] = ["cacertfile", "certfile", "keyfile", "server_name_indication", "verify"];

/// Sets one parameter, whose value is decoded already.
///
/// # Errors
/// [`Error::Config`] if it would turn verification off.
pub(super) fn set(options: &mut TlsOptions, name: &str, value: &str) -> Result<()> {
    let file = Some(PathBuf::from(value)).filter(|_| !value.is_empty());
    match name {
        "cacertfile" => options.ca_file = file,
        "certfile" => options.cert_file = file,
        "keyfile" => options.key_file = file,
        "server_name_indication" => options.server_name = Some(value.to_owned()).filter(|name| !name.is_empty()),
        _ if value == "verify_peer" => {}
        _ => {
            let why = "the broker URL is invalid: its parameter verify must be verify_peer, since an unverified connection \
                       could lead to an attacker; set cacertfile to the CA certificate of the broker";
            return Err(Error::Config { why: why.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_rabbitmqs_clients_are_read_and_verification_stays_on() {
        let mut options = TlsOptions::default();
        for (name, value) in NAMES.into_iter().zip(["/ca.pem", "/me.pem", "/me.key", "rabbit", "verify_peer"]) {
            set(&mut options, name, value).unwrap();
        }
        let expected = TlsOptions {
            ca_file: Some("/ca.pem".into()),
            cert_file: Some("/me.pem".into()),
            key_file: Some("/me.key".into()),
            server_name: Some("rabbit".into()),
        };
        assert_eq!(options, expected);
        for wrong in ["verify_none", ""] {
            let error = set(&mut options, "verify", wrong).unwrap_err().to_string();
            assert!(error.contains("cacertfile"), "{error}");
        }
    }
}

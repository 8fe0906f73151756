//! What a broker URL says of TLS, in the parameters of RabbitMQ's own clients: whom to believe, and what to show. The
//! handshake is in `wire`.

use std::path::PathBuf;

use zc_events_tls::TlsOptions;

use crate::{Error, Result};

/// The parameters.
pub(super) const NAMES: [&str; 5] = ["cacertfile", "certfile", "keyfile", "server_name_indication", "verify"];

/// Takes one of them, its value decoded.
///
/// # Errors
/// [`Error::Config`]: it would turn the verification off.
pub(super) fn take(options: &mut TlsOptions, name: &str, value: &str) -> Result<()> {
    let file = Some(PathBuf::from(value)).filter(|_| !value.is_empty());
    match name {
        "cacertfile" => options.ca_file = file,
        "certfile" => options.cert_file = file,
        "keyfile" => options.key_file = file,
        "server_name_indication" => options.server_name = Some(value.to_owned()).filter(|name| !name.is_empty()),
        _ if value == "verify_peer" => {}
        _ => {
            let why = "the broker URL is wrong: its parameter verify can be verify_peer alone, since nothing else tells a \
                       broker from somebody in between; who vouches for the broker is named by cacertfile";
            return Err(Error::Config { why: why.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_rabbitmqs_clients_are_read_and_none_turns_verifying_off() {
        let mut options = TlsOptions::default();
        for (name, value) in NAMES.into_iter().zip(["/ca.pem", "/me.pem", "/me.key", "rabbit", "verify_peer"]) {
            take(&mut options, name, value).unwrap();
        }
        let expected = TlsOptions {
            ca_file: Some("/ca.pem".into()),
            cert_file: Some("/me.pem".into()),
            key_file: Some("/me.key".into()),
            server_name: Some("rabbit".into()),
        };
        assert_eq!(options, expected);
        for wrong in ["verify_none", ""] {
            let error = take(&mut options, "verify", wrong).unwrap_err().to_string();
            assert!(error.contains("cacertfile"), "{error}");
        }
    }
}

//! The content type and the character set of a message.

use crate::decode_error::excerpt;
use crate::{DecodeError, Properties};

/// Checks that the properties declare the body as JSON in UTF-8.
pub(super) fn check_content_type(properties: &Properties) -> Result<(), DecodeError> {
    let found = properties.content_type.as_deref().unwrap_or_default();
    let mut parts = found.split(';').map(str::trim);
    if !matches!(parts.next().unwrap_or_default().to_ascii_lowercase().as_str(), "" | "application/json") {
        return Err(DecodeError::ContentType { found: excerpt(found) });
    }
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim().trim_matches('"'));
    for charset in [properties.content_encoding.as_deref(), charset].into_iter().flatten() {
        if is_foreign(charset) {
            return Err(DecodeError::Charset { found: excerpt(charset) });
        }
    }
    Ok(())
}

/// Whether Python knows a character set of this name that is not contained in UTF-8. Like kombu, this project reads
/// `binary` and names that Python does not know as UTF-8.
fn is_foreign(charset: &str) -> bool {
    let name: String = charset.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    const FAMILIES: [&str; 26] = [
        "utf16", "utf32", "utf7", "u16", "u32", "u7", "ucs", "iso8859", "iso2022", "latin", "l1", "l2", "cp",
        "windows", "ibm", "koi8", "mac", "big5", "gb", "hz", "euc", "shiftjis", "sjis", "johab", "tis620", "ebcdic",
    ];
    let families = FAMILIES.iter().any(|family| name.starts_with(family));
    families && !matches!(name.as_str(), "cp65001")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_sets_other_than_utf8_are_foreign() {
        for name in ["utf-8", "UTF8", "us-ascii", "ascii", "binary", "nope", "", "646", "cp65001"] {
            assert!(!is_foreign(name), "{name}");
        }
        for name in [
            "utf-16",
            "UTF-16LE",
            "utf_32",
            "utf-7",
            "iso-8859-1",
            "latin-1",
            "latin_1",
            "cp1252",
            "windows-1252",
            "koi8-r",
            "euc_jp",
            "shift_jis",
            "gb18030",
            "mac-roman",
        ] {
            assert!(is_foreign(name), "{name}");
        }
    }

    #[test]
    fn parameters_of_the_content_type_are_checked() {
        let with = |content_type: &str| {
            check_content_type(&Properties { content_type: Some(content_type.to_owned()), ..Properties::default() })
        };
        assert!(with("application/json; charset=utf-8").is_ok());
        assert!(with("Application/JSON").is_ok());
        assert_eq!(
            with("application/json; charset=\"latin1\""),
            Err(DecodeError::Charset { found: "latin1".to_owned() })
        );
        assert!(matches!(with("application/x-python-serialize"), Err(DecodeError::ContentType { .. })));
        assert!(matches!(with("application/json2"), Err(DecodeError::ContentType { .. })));
    }
}

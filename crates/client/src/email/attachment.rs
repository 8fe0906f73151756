//! Attachments of an e-mail: bytes or local files, and which names are allowed.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::address;

/// An attachment of an e-mail.
#[derive(Clone)]
pub(crate) enum Attachment {
    Bytes { name: String, content_type: String, bytes: Vec<u8> },
    File(PathBuf),
}

impl Attachment {
    /// Its name; `None` for a path without a file name in UTF-8.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Attachment::Bytes { name, .. } => Some(name),
            Attachment::File(path) => path.file_name().and_then(OsStr::to_str),
        }
    }

    /// Says why the attachment is refused, as in "has no name".
    pub(super) fn check(&self) -> Result<(), &'static str> {
        /// The key contains `attachment_`, the name, and perhaps a number.
        const MAX_BYTES: usize = 200;
        let name = self.name().ok_or("is a path without a file name in UTF-8")?;
        if name.is_empty() || name.len() > MAX_BYTES {
            return Err("has no name, or one of more than 200 bytes");
        }
        if name.contains(['/', '\\']) || address::breaks_the_line(name) {
            return Err("has a name with a slash or a control character: use the file name alone");
        }
        match self {
            Attachment::Bytes { content_type, .. } if !is_content_type(content_type) => {
                Err("has an invalid content type: use one such as application/pdf")
            }
            _ => Ok(()),
        }
    }
}

/// Whether the text is `type/subtype`, with or without parameters.
fn is_content_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

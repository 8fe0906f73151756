//! What goes with an e-mail: contents and files, and what these may be called.

use std::path::PathBuf;

use super::address;
use crate::{Result, content};

/// Something that goes with an e-mail.
#[derive(Clone)]
pub(crate) enum Attachment {
    Content { name: String, content_type: String, content: Vec<u8> },
    File(PathBuf),
}

impl Attachment {
    /// What it is called, unless that is taken.
    pub(crate) fn name(&self) -> Result<&str> {
        match self {
            Attachment::Content { name, .. } => Ok(name),
            Attachment::File(path) => content::file_name(path),
        }
    }

    /// What is wrong with it, as in "has no name".
    pub(super) fn check(&self) -> Result<(), &'static str> {
        /// A key's part is `attachment_` and this, and perhaps a number.
        const LONGEST: usize = 200;
        let name = self.name().map_err(|_| "is a file without a name in UTF-8")?;
        if name.is_empty() || name.len() > LONGEST {
            return Err("has no name, or one of more than 200 bytes");
        }
        if name.contains(['/', '\\']) || address::breaks_the_line(name) {
            return Err("has a path for a name, or a control character in it: use the name alone");
        }
        match self {
            Attachment::Content { content_type, .. } if !is_content_type(content_type) => {
                Err("has a content type that is none: use one such as application/pdf")
            }
            _ => Ok(()),
        }
    }
}

/// `type/subtype`, and what may follow.
fn is_content_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

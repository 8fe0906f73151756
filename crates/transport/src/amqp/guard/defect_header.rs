//! How the guard reports a defect of a message to the consumer: in a header that only the guard of this connection can
//! write. And how it reports why it ended the connection.

use std::sync::OnceLock;

use amiquip::{AmqpValue, FieldTable};

/// The header's name.
const NAME: &str = "x-guard";

/// What is wrong with the properties of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    TooDeep,
    TooLarge,
    UnknownType,
    NotUtf8,
    Malformed,
    PropertiesNotUtf8,
    PropertiesMalformed,
}

impl Defect {
    const ALL: [Self; 7] = [
        Self::TooDeep,
        Self::TooLarge,
        Self::UnknownType,
        Self::NotUtf8,
        Self::Malformed,
        Self::PropertiesNotUtf8,
        Self::PropertiesMalformed,
    ];

    /// Stable, since users see it and it is stored with dead letters.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::TooDeep => "headers_too_deep",
            Self::TooLarge => "headers_too_large",
            Self::UnknownType => "headers_unknown_type",
            Self::NotUtf8 => "headers_not_utf8",
            Self::Malformed => "headers_malformed",
            Self::PropertiesNotUtf8 => "properties_not_utf8",
            Self::PropertiesMalformed => "properties_malformed",
        }
    }
}

/// What the guard of a connection reports to the connection's owner.
#[derive(Debug)]
pub(crate) struct GuardReport {
    /// Prevents publishers from forging the header.
    nonce: String,
    refusal: OnceLock<String>,
}

impl GuardReport {
    pub(crate) fn new() -> Self {
        Self::with_nonce(uuid::Uuid::new_v4().simple().to_string())
    }

    pub(super) fn with_nonce(nonce: String) -> Self {
        Self { nonce, refusal: OnceLock::new() }
    }

    /// Why the guard ended the connection, if it did.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    pub(super) fn refuse(&self, why: &str) {
        // The first reason counts. No bytes are read after it.
        let _ = self.refusal.set(why.to_owned());
    }

    /// The encoded table of headers, with its length, that reports `defect`.
    pub(super) fn headers(&self, defect: Defect) -> Vec<u8> {
        let text = format!("{}:{}", self.nonce, defect.code());
        let mut content = vec![NAME.len() as u8];
        content.extend_from_slice(NAME.as_bytes());
        content.push(b'S');
        content.extend_from_slice(&(text.len() as u32).to_be_bytes());
        content.extend_from_slice(text.as_bytes());
        let mut table = (content.len() as u32).to_be_bytes().to_vec();
        table.extend_from_slice(&content);
        table
    }

    /// The defect that these headers report, if this guard wrote them.
    pub(crate) fn defect(&self, headers: &FieldTable) -> Option<&'static str> {
        let Some(AmqpValue::LongString(text)) = headers.get(NAME) else {
            return None;
        };
        let code = text.strip_prefix(self.nonce.as_str())?.strip_prefix(':')?;
        Defect::ALL.into_iter().map(Defect::code).find(|known| *known == code)
    }
}

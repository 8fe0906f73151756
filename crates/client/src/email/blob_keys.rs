//! The keys under which the bodies and attachments of an e-mail are stored, as in Python's `generate_email_data`.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

use crate::{Error, Result};

/// The keys of the blobs of an e-mail.
#[derive(Default)]
pub(crate) struct EmailKeys {
    folder: String,
    pub(crate) plaintext: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) attachments: Vec<String>,
    taken: HashSet<String>,
}

impl EmailKeys {
    /// The keys of the e-mail with this UUID: `<date>/<unix time>_<uuid>/..`. The date is in UTC; Python uses the local date.
    pub(crate) fn new(uuid: &str, at: SystemTime) -> Result<Self> {
        let seconds = at.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
        let date =
            seconds.and_then(|seconds| Some((seconds, OffsetDateTime::from_unix_timestamp(seconds).ok()?.date())));
        let (seconds, date) = date
            .ok_or_else(|| Error::config("the clock's year is not between 1970 and 9999, so the e-mail has no date"))?;
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        Ok(Self { folder: format!("{year:04}-{month:02}-{day:02}/{seconds}_{uuid}"), ..Self::default() })
    }

    pub(crate) fn html(&mut self) -> String {
        self.html.insert(format!("{}/html", self.folder)).clone()
    }

    pub(crate) fn plaintext(&mut self) -> String {
        self.plaintext.insert(format!("{}/plaintext", self.folder)).clone()
    }

    /// The key of the next attachment. If the name is taken, a number is inserted before its extension.
    pub(crate) fn attachment(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 1;
        while !self.taken.insert(free.clone()) {
            number += 1;
            free = match name.rsplit_once('.') {
                Some((stem, ending)) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
                _ => format!("{name} ({number})"),
            };
        }
        let key = format!("{}/attachment_{free}", self.folder);
        self.attachments.push(key.clone());
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn keys_contain_date_time_and_uuid() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_468_637);
        let mut keys = EmailKeys::new("u-1", at).unwrap();
        assert_eq!(keys.html(), "2026-11-23/1795468637_u-1/html");
        assert_eq!(keys.plaintext(), "2026-11-23/1795468637_u-1/plaintext");
        assert_eq!(keys.attachment("f.pdf"), "2026-11-23/1795468637_u-1/attachment_f.pdf");
        assert!(EmailKeys::new("u-1", UNIX_EPOCH - Duration::from_secs(1)).is_err());
        assert!(EmailKeys::new("u-1", UNIX_EPOCH + Duration::from_secs(1 << 50)).is_err());
    }

    #[test]
    fn attachments_of_the_same_name_get_a_number() {
        let mut keys = EmailKeys::default();
        let names =
            ["f.pdf", "f.pdf", "f (2).pdf", "f.pdf", "noend", "noend", ".hidden", ".hidden", "a.tar.gz", "a.tar.gz"];
        let made: Vec<String> = names.iter().map(|name| keys.attachment(name)).collect();
        assert_eq!(
            made.iter().map(|key| key.strip_prefix("/attachment_").unwrap()).collect::<Vec<_>>(),
            [
                "f.pdf",
                "f (2).pdf",
                "f (2) (2).pdf",
                "f (3).pdf",
                "noend",
                "noend (2)",
                ".hidden",
                ".hidden (2)",
                "a.tar.gz",
                "a.tar (2).gz"
            ]
        );
        assert_eq!(keys.attachments, made);
    }
}

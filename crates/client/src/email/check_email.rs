//! Checks an e-mail before it is stored or sent.

use super::address;
use super::attachment::Attachment;
use super::compose::Email;
use crate::blobs::{BlobStore, local_file};
use crate::{Error, Result};

impl Email {
    /// Checks the e-mail as far as possible without sending it: it has a recipient, the addresses look valid, and no address,
    /// subject, header or attachment name contains a line break. Sending does this first.
    ///
    /// ```
    /// use zc_events::Email;
    /// assert!(Email::new().to("ada@example.com").check().is_ok());
    /// assert!(Email::new().subject("No recipients").check().is_err());
    /// assert!(Email::new().to("ada@example.com\r\nBcc: all@example.com").check().is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::Encode`] names the position of the invalid address or header, but does not show it.
    pub fn check(&self) -> Result<()> {
        let lists = [("to", &self.to), ("cc", &self.cc), ("bcc", &self.bcc), ("reply_to", &self.reply_to)];
        if lists.iter().all(|(_, list)| list.is_empty()) {
            return Err(refused("it has no recipient: set at least one of `to`, `cc`, `bcc` and `reply_to`"));
        }
        for (name, list) in lists {
            for (index, address) in list.iter().enumerate() {
                address::check(address).map_err(|why| refused(&format!("address {} of `{name}` {why}", index + 1)))?;
            }
        }
        if let Some(from) = &self.from {
            address::check(from).map_err(|why| refused(&format!("the address `from` {why}")))?;
        }
        if self.subject.as_deref().is_some_and(address::breaks_the_line) {
            return Err(refused("the subject contains a line break or another control character"));
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            if !is_name || address::breaks_the_line(value) {
                let text = "has an invalid name, or a line break or another control character in its value";
                return Err(refused(&format!("header {} {text}", index + 1)));
            }
        }
        self.attachments.iter().enumerate().try_for_each(|(index, attachment)| {
            attachment.check().map_err(|why| refused(&format!("attachment {} {why}", index + 1)))
        })
    }

    /// Checks that no body or attachment is larger than the store accepts, and that the files can be read now.
    pub(crate) fn check_sizes(&self, store: &dyn BlobStore) -> Result<()> {
        let limit = store.max_bytes();
        let fits = |what: &str, size: usize| {
            if size > limit { Err(Error::TooLarge { what: what.to_owned(), size, limit }) } else { Ok(()) }
        };
        fits("the plaintext body", self.plaintext_body.as_ref().map_or(0, String::len))?;
        fits("the HTML body", self.html_body.as_ref().map_or(0, String::len))?;
        for (index, attachment) in self.attachments.iter().enumerate() {
            match attachment {
                Attachment::Bytes { bytes, .. } => fits(&format!("attachment {}", index + 1), bytes.len())?,
                Attachment::File(path) => local_file::check(path, limit)?,
            }
        }
        Ok(())
    }
}

fn refused(why: &str) -> Error {
    Error::Encode { source: format!("the e-mail is invalid: {why}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::blob_keys::EmailKeys;

    fn email() -> Email {
        Email::new().to("a@b.c")
    }

    fn why(email: &Email) -> String {
        match email.check() {
            Err(error @ Error::Encode { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_email_needs_one_recipient_of_any_kind() {
        for email in [email(), Email::new().cc("a@b.c"), Email::new().bcc(["a@b.c"]), Email::new().reply_to("a@b.c")] {
            assert!(email.check().is_ok());
        }
        for email in [Email::new(), Email::new().to(""), Email::new().to(Vec::<String>::new()).from("a@b.c")] {
            assert!(why(&email).contains("no recipient"));
        }
    }

    #[test]
    fn an_injected_header_is_refused_and_not_shown() {
        for (email, says) in [
            (email().to(["d@e.f", "x@y.z\r\nBcc: canary@h"]), "address 3 of `to`"),
            (email().cc("canary"), "address 1 of `cc`"),
            (email().bcc("canary\n@h"), "address 1 of `bcc`"),
            (email().reply_to([""]), "address 1 of `reply_to`"),
            (email().from("canary@h\nTo: x@y.z"), "`from`"),
            (email().subject("canary\r\nBcc: x@y.z"), "subject"),
            (email().header("X-A", "1").header("X-B", "canary\r\nBcc: x@y.z"), "header 2"),
            (email().header("X-A: canary\r\nBcc", "1"), "header 1"),
            (email().header("", "canary"), "header 1"),
            (email().header("X B", "canary"), "header 1"),
            (email().attachment("canary\r\n.pdf", "a/b", ""), "attachment 1"),
            (email().attachment("../canary", "a/b", ""), "attachment 1"),
            (email().attachment("c:\\canary", "a/b", ""), "attachment 1"),
            (email().attachment("", "a/b", "canary"), "attachment 1"),
            (email().attachment("f", "canary\r\nX: y", ""), "attachment 1"),
            (email().attachment("f", "canary", ""), "attachment 1"),
            (email().attachment("f", "a/b", "").file("/"), "attachment 2"),
            (email().attachment("x".repeat(201), "a/b", ""), "attachment 1"),
        ] {
            let why = why(&email);
            assert!(why.contains(says) && !why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn debug_shows_no_address_and_no_text() {
        let email =
            Email::new().to("canary@h").cc("canary@h").from("canary@h").subject("canary").plaintext_body("canary");
        let email = email.html_body("canary").header("canary", "canary").attachment("canary", "canary/x", "canary");
        let email = email.file("/canary").user("canary").resource("canary", "canary").unsubscribe_group("canary");
        let shown = format!("{email:?} {email:#?}");
        assert!(shown.contains("recipients: 2") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_header_is_set_once_regardless_of_case() {
        let email = email().header("X-A", "1").header("x-a", "2").header("X-B", "3");
        assert_eq!(email.kwargs(&EmailKeys::default())["headers"], serde_json::json!({"x-a": "2", "X-B": "3"}));
    }

    #[test]
    fn sizes_are_checked_before_storing() {
        let store = crate::blobs::MemoryBlobStore::new().limit(4);
        let large = |email: &Email| match email.check_sizes(&store) {
            Err(Error::TooLarge { what, size: 5, limit: 4 }) => what,
            other => panic!("{other:?}"),
        };
        assert!(large(&email().plaintext_body("12345")).contains("plaintext"));
        assert!(large(&email().html_body("12345")).contains("HTML"));
        assert!(
            large(&email().attachment("a", "a/b", "1234").attachment("b", "a/b", "12345")).contains("attachment 2")
        );
        let missing = email().file("/no/such/file.txt").check_sizes(&store).unwrap_err();
        assert!(missing.to_string().contains("/no/such/file.txt"), "{missing}");
    }
}

//! E-mails as programs write them. Who may be written to is checked in `address`, what goes with it in `attachment`; what
//! becomes of one that is stored, and how the service that sends it is told, is in `stored`. Storing and sending are the
//! client's.

mod address;
mod attachment;
mod stored;

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

use crate::blobs::{BlobStore, local_file};
use crate::{Error, Result};

pub use address::Addresses;
pub(crate) use attachment::Attachment;
pub(crate) use stored::Keys;
pub use stored::StoredEmail;

/// An e-mail, for the fleet's e-mail service to send; see [`EventClient::send_email`](crate::EventClient::send_email).
///
/// Bodies and attachments are stored before anything is sent, and the message names their keys. `Debug` shows how many
/// there are; no address, no subject, no body.
///
/// ```
/// # use zc_events::{Email, Error, EventClient, Settings};
/// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
/// let client = EventClient::new(settings)?;
/// let email = Email::new()
///     .from("Orders <orders@example.com>")
///     .to("ada@example.com, grace@example.com")
///     .reply_to(["support@example.com"])
///     .subject("On its way")
///     .plaintext_body("Your order has left the kitchen.")
///     .attachment("receipt.pdf", "application/pdf", b"%PDF-1.7")
///     .user(56)
///     .resource("Order", 23131024)
///     .transactional(true);
/// // No e-mail service listens, and that is told.
/// assert!(matches!(client.send_email(&email), Err(Error::Unroutable { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "an e-mail does nothing until it is sent"]
pub struct Email {
    from: Option<String>,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    reply_to: Vec<String>,
    subject: Option<String>,
    pub(crate) plaintext_body: Option<String>,
    pub(crate) html_body: Option<String>,
    headers: Vec<(String, String)>,
    pub(crate) attachments: Vec<Attachment>,
    user_id: Value,
    resource_type: Option<String>,
    resource_id: Value,
    unsubscribe_group: Value,
    is_transactional: bool,
}

impl Email {
    /// An e-mail without anything. It needs a recipient: at least one of [`to`](Email::to), [`cc`](Email::cc),
    /// [`bcc`](Email::bcc) and [`reply_to`](Email::reply_to), as in Python.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who writes: `a@b.c` or `Name <a@b.c>`. The e-mail service's own address unless set.
    pub fn from(mut self, address: impl Into<String>) -> Self {
        self.from = Some(address.into());
        self
    }

    /// Adds recipients: one, several between commas, or a list.
    pub fn to(mut self, addresses: impl Addresses) -> Self {
        self.to.extend(addresses.into_addresses());
        self
    }

    /// Adds those who get a copy, as [`Email::to`] does.
    pub fn cc(mut self, addresses: impl Addresses) -> Self {
        self.cc.extend(addresses.into_addresses());
        self
    }

    /// Adds those who get a copy of which nobody knows, as [`Email::to`] does.
    pub fn bcc(mut self, addresses: impl Addresses) -> Self {
        self.bcc.extend(addresses.into_addresses());
        self
    }

    /// Adds those whom answers go to, as [`Email::to`] does.
    pub fn reply_to(mut self, addresses: impl Addresses) -> Self {
        self.reply_to.extend(addresses.into_addresses());
        self
    }

    /// The subject, on one line.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The body as plain text. An empty one is none, as in Python.
    pub fn plaintext_body(mut self, body: impl Into<String>) -> Self {
        self.plaintext_body = Some(body.into()).filter(|body| !body.is_empty());
        self
    }

    /// The body as HTML. An empty one is none, as in Python.
    pub fn html_body(mut self, body: impl Into<String>) -> Self {
        self.html_body = Some(body.into()).filter(|body| !body.is_empty());
        self
    }

    /// Sets a header of the e-mail itself. One of the same name, in large or small letters, is replaced.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.headers.push((name, value.into()));
        self
    }

    /// Attaches a content under a file's name. The content type stays in the store; the message has no place for it. The
    /// second attachment of one name is called `name (2).ext`, where Python's would overwrite the first.
    pub fn attachment(
        mut self,
        name: impl Into<String>,
        content_type: impl Into<String>,
        content: impl Into<Vec<u8>>,
    ) -> Self {
        let (name, content_type, content) = (name.into(), content_type.into(), content.into());
        self.attachments.push(Attachment::Content { name, content_type, content });
        self
    }

    /// Attaches a file of this machine, under its name in its folder. It is read when the e-mail is stored.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.attachments.push(Attachment::File(path.as_ref().to_owned()));
        self
    }

    /// On whose account it is sent: `user_id`.
    pub fn user(mut self, user_id: impl Into<Value>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// What it is about: `resource_type` and `resource_id`.
    pub fn resource(mut self, resource_type: impl Into<String>, resource_id: impl Into<Value>) -> Self {
        self.resource_type = Some(resource_type.into());
        self.resource_id = resource_id.into();
        self
    }

    /// Which group of e-mails recipients can unsubscribe from with it. The message says nothing of it unless set.
    pub fn unsubscribe_group(mut self, group: impl Into<Value>) -> Self {
        self.unsubscribe_group = group.into();
        self
    }

    /// Whether it is part of a transaction, and so goes to those, too, who have unsubscribed. It is not unless set.
    pub fn transactional(mut self, is_transactional: bool) -> Self {
        self.is_transactional = is_transactional;
        self
    }

    /// Whether it could be sent, as far as can be told without sending it: it has a recipient; each address looks like
    /// one, and none holds a line break; subject, headers and names of attachments are on one line. Sending asks this
    /// first.
    ///
    /// ```
    /// use zc_events::Email;
    /// assert!(Email::new().to("ada@example.com").check().is_ok());
    /// assert!(Email::new().subject("To nobody").check().is_err());
    /// assert!(Email::new().to("ada@example.com\r\nBcc: all@example.com").check().is_err());
    /// ```
    ///
    /// # Errors
    /// [`Error::Encode`], which says which address or header it is by its place, and does not show it.
    pub fn check(&self) -> Result<()> {
        let lists = [("to", &self.to), ("cc", &self.cc), ("bcc", &self.bcc), ("reply_to", &self.reply_to)];
        if lists.iter().all(|(_, list)| list.is_empty()) {
            return Err(refused("it has no recipient: at least one of `to`, `cc`, `bcc` and `reply_to` is needed"));
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
            return Err(refused("the subject holds a line break or another control character"));
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            if !is_name || address::breaks_the_line(value) {
                let text = "has a name that is none, or a line break or another control character in its value";
                return Err(refused(&format!("header {} {text}", index + 1)));
            }
        }
        self.attachments.iter().enumerate().try_for_each(|(index, attachment)| {
            attachment.check().map_err(|why| refused(&format!("attachment {} {why}", index + 1)))
        })
    }

    /// Whether there is anything to store.
    pub(crate) fn has_blobs(&self) -> bool {
        self.plaintext_body.is_some() || self.html_body.is_some() || !self.attachments.is_empty()
    }

    /// Whether the store would take it all, and all files can be read, as things are now.
    pub(crate) fn check_sizes(&self, store: &dyn BlobStore) -> Result<()> {
        let limit = store.max_bytes();
        let fits = |what: &str, size: usize| {
            if size > limit { Err(Error::TooLarge { what: what.to_owned(), size, limit }) } else { Ok(()) }
        };
        fits("the plaintext body", self.plaintext_body.as_ref().map_or(0, String::len))?;
        fits("the HTML body", self.html_body.as_ref().map_or(0, String::len))?;
        for (index, attachment) in self.attachments.iter().enumerate() {
            match attachment {
                Attachment::Content { content, .. } => fits(&format!("attachment {}", index + 1), content.len())?,
                Attachment::File(path) => local_file::check(path, limit)?,
            }
        }
        Ok(())
    }

    pub(crate) fn recipients(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }

    /// The message's keyword arguments, as Python's `generate_email_data` has them, but for `task_id`.
    pub(crate) fn kwargs(&self, keys: &Keys) -> Map<String, Value> {
        let list = |list: &Vec<String>| if list.is_empty() { Value::Null } else { list.clone().into() };
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let mut kwargs = Map::new();
        for (name, value) in [
            ("from_email", self.from.clone().into()),
            ("to", list(&self.to)),
            ("cc", list(&self.cc)),
            ("bcc", list(&self.bcc)),
            ("reply_to", list(&self.reply_to)),
            ("subject", self.subject.clone().into()),
            ("plaintext_body_key", keys.plaintext.clone().into()),
            ("html_body_key", keys.html.clone().into()),
            ("attachments_keys", keys.attachments.clone().into()),
            ("headers", if headers.is_empty() { Value::Null } else { headers.into() }),
            ("user_id", self.user_id.clone()),
            ("resource_type", self.resource_type.clone().into()),
            ("resource_id", self.resource_id.clone()),
            ("is_transactional", self.is_transactional.into()),
        ] {
            kwargs.insert(name.to_owned(), value);
        }
        if !self.unsubscribe_group.is_null() {
            kwargs.insert("unsubscribe_group".to_owned(), self.unsubscribe_group.clone());
        }
        kwargs
    }
}

fn refused(why: &str) -> Error {
    Error::Encode { source: format!("the e-mail cannot be sent: {why}").into() }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email")
            .field("recipients", &self.recipients())
            .field("has_plaintext_body", &self.plaintext_body.is_some())
            .field("has_html_body", &self.html_body.is_some())
            .field("headers", &self.headers.len())
            .field("attachments", &self.attachments.len())
            .field("is_transactional", &self.is_transactional)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn one_recipient_of_any_kind_is_enough_and_none_is_refused() {
        for email in [email(), Email::new().cc("a@b.c"), Email::new().bcc(["a@b.c"]), Email::new().reply_to("a@b.c")] {
            assert!(email.check().is_ok());
        }
        for email in [Email::new(), Email::new().to(""), Email::new().to(Vec::<String>::new()).from("a@b.c")] {
            assert!(why(&email).contains("no recipient"));
        }
    }

    #[test]
    fn what_could_add_a_header_is_refused_by_its_place_and_not_shown() {
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
    fn debug_shows_neither_people_nor_what_is_said() {
        let email =
            Email::new().to("canary@h").cc("canary@h").from("canary@h").subject("canary").plaintext_body("canary");
        let email = email.html_body("canary").header("canary", "canary").attachment("canary", "canary/x", "canary");
        let email = email.file("/canary").user("canary").resource("canary", "canary").unsubscribe_group("canary");
        let shown = format!("{email:?} {email:#?}");
        assert!(shown.contains("recipients: 2") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_header_is_set_once_whatever_its_letters() {
        let email = email().header("X-A", "1").header("x-a", "2").header("X-B", "3");
        assert_eq!(email.kwargs(&Keys::default())["headers"], serde_json::json!({"x-a": "2", "X-B": "3"}));
    }

    #[test]
    fn what_does_not_fit_is_told_before_anything_is_stored() {
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

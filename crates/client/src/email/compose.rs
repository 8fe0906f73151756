//! An e-mail and the methods that compose it.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use super::address::Addresses;
use super::attachment::Attachment;

/// An e-mail for the fleet's e-mail service; see [`EventClient::send_email`](crate::EventClient::send_email).
///
/// Bodies and attachments are stored in a blob store first, and the message carries their keys. `Debug` shows numbers, but no
/// address, subject or body.
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
/// // No e-mail service is running.
/// assert!(matches!(client.send_email(&email), Err(Error::Unroutable { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "an e-mail does nothing until it is sent"]
pub struct Email {
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) bcc: Vec<String>,
    pub(super) reply_to: Vec<String>,
    pub(super) subject: Option<String>,
    pub(crate) plaintext_body: Option<String>,
    pub(crate) html_body: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(crate) attachments: Vec<Attachment>,
    pub(super) user_id: Value,
    pub(super) resource_type: Option<String>,
    pub(super) resource_id: Value,
    pub(super) unsubscribe_group: Value,
    pub(super) is_transactional: bool,
}

impl Email {
    /// Creates an empty e-mail. It needs a recipient: at least one of [`to`](Email::to), [`cc`](Email::cc),
    /// [`bcc`](Email::bcc) and [`reply_to`](Email::reply_to), as in Python.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the sender: `a@b.c` or `Name <a@b.c>`. By default the e-mail service uses its own address.
    pub fn from(mut self, address: impl Into<String>) -> Self {
        self.from = Some(address.into());
        self
    }

    /// Adds recipients: one address, several separated by commas, or a list.
    pub fn to(mut self, addresses: impl Addresses) -> Self {
        self.to.extend(addresses.into_addresses());
        self
    }

    /// Adds recipients of a copy, as [`Email::to`] does.
    pub fn cc(mut self, addresses: impl Addresses) -> Self {
        self.cc.extend(addresses.into_addresses());
        self
    }

    /// Adds recipients of a blind copy, as [`Email::to`] does.
    pub fn bcc(mut self, addresses: impl Addresses) -> Self {
        self.bcc.extend(addresses.into_addresses());
        self
    }

    /// Adds addresses for replies, as [`Email::to`] does.
    pub fn reply_to(mut self, addresses: impl Addresses) -> Self {
        self.reply_to.extend(addresses.into_addresses());
        self
    }

    /// Sets the subject, on one line.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the body in plain text. An empty text is no body, as in Python.
    pub fn plaintext_body(mut self, body: impl Into<String>) -> Self {
        self.plaintext_body = Some(body.into()).filter(|body| !body.is_empty());
        self
    }

    /// Sets the body in HTML. An empty text is no body, as in Python.
    pub fn html_body(mut self, body: impl Into<String>) -> Self {
        self.html_body = Some(body.into()).filter(|body| !body.is_empty());
        self
    }

    /// Sets a header of the e-mail. It replaces an earlier header of the same name, regardless of case.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.headers.push((name, value.into()));
        self
    }

    /// Attaches bytes under a file name. The content type is kept only in the store; the message has no field for it. The
    /// second attachment of one name becomes `name (2).ext`; in Python it would overwrite the first.
    pub fn attachment(
        mut self,
        name: impl Into<String>,
        content_type: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        let (name, content_type, bytes) = (name.into(), content_type.into(), bytes.into());
        self.attachments.push(Attachment::Bytes { name, content_type, bytes });
        self
    }

    /// Attaches a local file under its file name. It is read when the e-mail is stored.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.attachments.push(Attachment::File(path.as_ref().to_owned()));
        self
    }

    /// Sets the user that the e-mail is sent for: `user_id`.
    pub fn user(mut self, user_id: impl Into<Value>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// Sets the resource that the e-mail is about: `resource_type` and `resource_id`.
    pub fn resource(mut self, resource_type: impl Into<String>, resource_id: impl Into<Value>) -> Self {
        self.resource_type = Some(resource_type.into());
        self.resource_id = resource_id.into();
        self
    }

    /// Sets the group of e-mails that recipients can unsubscribe from. By default the message does not contain it.
    pub fn unsubscribe_group(mut self, group: impl Into<Value>) -> Self {
        self.unsubscribe_group = group.into();
        self
    }

    /// Sets whether the e-mail is part of a transaction and is also sent to recipients who have unsubscribed; false by
    /// default.
    pub fn transactional(mut self, is_transactional: bool) -> Self {
        self.is_transactional = is_transactional;
        self
    }

    /// Whether the e-mail has a body or an attachment to store.
    pub(crate) fn has_blobs(&self) -> bool {
        self.plaintext_body.is_some() || self.html_body.is_some() || !self.attachments.is_empty()
    }

    pub(crate) fn recipients(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }
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

//! Sending e-mails: their bodies and attachments are stored, then the e-mail service is told. What an e-mail may be, is
//! the business of `email`.

use uuid::Uuid;
use zc_events_protocol::{Channel, Outcome};

use super::EventClient;
use crate::blobs::BlobStore;
use crate::email::{Attachment, Email, Keys, StoredEmail};
use crate::{Error, Result};

/// What an attachment is whose content type nobody knows.
const BYTES: &str = "application/octet-stream";

impl EventClient {
    /// Sends an e-mail by way of the fleet's e-mail service: stores its bodies and attachments where the settings say
    /// ([`EventClient::email_blobs`]), within `EVENTS_CONTENT_TIMEOUT`, then notifies the service and waits for the
    /// broker's confirm, within `EVENTS_PUBLISH_TIMEOUT`. On the wire as zc_events has it since 0.2: `send_email` on the
    /// exchange for notifications, with `microservice.notification.email`.
    ///
    /// If storing fails nothing is sent. If sending fails what was stored stays, as it does once it is sent: a bucket
    /// needs a rule by which old contents go. To send again what was stored, see [`EventClient::store_email`].
    ///
    /// ```
    /// # use zc_events::{Email, Error, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let sent = client.send_email(&Email::new().to("ada@example.com").subject("Lunch").html_body("<p>It is ready.</p>"));
    /// // No e-mail service listens, and that is told.
    /// assert!(matches!(sent, Err(Error::Unroutable { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`EventClient::store_email`] and [`EventClient::send_stored_email`].
    pub fn send_email(&self, email: &Email) -> Result<StoredEmail> {
        let stored = self.store_email(email)?;
        self.send_stored_email(&stored)?;
        Ok(stored)
    }

    /// [`EventClient::send_email`], with bodies and attachments in this store. The e-mail service must know it.
    ///
    /// # Errors
    /// As for [`EventClient::send_email`].
    pub fn send_email_with(&self, store: &dyn BlobStore, email: &Email) -> Result<StoredEmail> {
        let stored = self.store_email_with(store, email)?;
        self.send_stored_email(&stored)?;
        Ok(stored)
    }

    /// Stores the bodies and attachments of an e-mail, and sends nothing yet. One that has neither needs no store.
    ///
    /// ```
    /// # use zc_events::{Email, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let stored = client.store_email(&Email::new().to("ada@example.com").plaintext_body("Lunch is ready."))?;
    /// let sent = client.send_stored_email(&stored).or_else(|error| {
    ///     // Once more, where nobody can have got the first.
    ///     if error.is_retryable() { client.send_stored_email(&stored) } else { Err(error) }
    /// });
    /// assert!(sent.is_err()); // nobody listens here
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Encode`]: the e-mail is none, as [`Email::check`] says, or a file cannot be read. [`Error::TooLarge`]:
    /// beyond what the store takes. [`Error::Config`]: the settings name no store. What else the store says, with the
    /// e-mail's UUID and the part. Nothing was sent.
    pub fn store_email(&self, email: &Email) -> Result<StoredEmail> {
        email.check()?;
        if email.has_blobs() {
            return self.store_email_with(&*self.email_blobs()?, email);
        }
        StoredEmail::new(begin(email), &email.kwargs(&Keys::default()))
    }

    /// [`EventClient::store_email`], in this store.
    ///
    /// # Errors
    /// As for [`EventClient::store_email`].
    pub fn store_email_with(&self, store: &dyn BlobStore, email: &Email) -> Result<StoredEmail> {
        email.check()?;
        email.check_sizes(store)?;
        let uuid = begin(email);
        let keys = self.store_blobs(store, &uuid, email).inspect_err(|error| {
            log::warn!("MICROSERVICE_SEND_EMAIL: Failure storing email with UUID {uuid}: {error}");
        })?;
        StoredEmail::new(uuid, &email.kwargs(&keys))
    }

    /// Tells the e-mail service of an e-mail that is stored, and waits for the broker's confirm. May be called again
    /// after a failure: it is the same message, with the same id.
    ///
    /// # Errors
    /// As for [`EventClient::notify`].
    pub fn send_stored_email(&self, email: &StoredEmail) -> Result<()> {
        let uuid = email.uuid();
        let sent = self.notify(Channel::Email, email.event());
        match &sent {
            Ok(()) => log::info!("MICROSERVICE_SEND_EMAIL: Sent email with UUID {uuid}"),
            Err(error) => log::warn!("MICROSERVICE_SEND_EMAIL: Failure sending email with UUID {uuid}: {error}"),
        }
        sent
    }

    fn store_blobs(&self, store: &dyn BlobStore, uuid: &str, email: &Email) -> Result<Keys> {
        let inner = self.inner();
        let deadline = inner.deadline(inner.settings.blobs.timeout);
        let mut keys = Keys::new(uuid, inner.clock().wall())?;
        let put = |part: &str, key: &str, content_type: &str, content: &[u8]| {
            store.put(key, content_type, content, deadline).map_err(|error| not_sent(uuid, part, error.into()))
        };
        if let Some(body) = &email.html_body {
            put("its HTML body", &keys.html(), "text/html; charset=utf-8", body.as_bytes())?;
        }
        if let Some(body) = &email.plaintext_body {
            put("its plaintext body", &keys.plaintext(), "text/plain; charset=utf-8", body.as_bytes())?;
        }
        for (index, attachment) in email.attachments.iter().enumerate() {
            let part = format!("attachment {}", index + 1);
            // `Email::check` has refused an attachment without a name.
            let key = keys.attachment(attachment.name().unwrap_or_default());
            match attachment {
                Attachment::Content { content_type, content, .. } => put(&part, &key, content_type, content)?,
                Attachment::File(path) => {
                    let put = store.put_file(&key, BYTES, path, deadline);
                    put.map_err(|error| not_sent(uuid, &part, error.into()))?;
                }
            }
        }
        Ok(keys)
    }
}

/// The UUID of an e-mail that is about to be stored.
fn begin(email: &Email) -> String {
    let uuid = Uuid::new_v4().to_string();
    log::info!(
        "MICROSERVICE_SEND_EMAIL: Upload email with UUID {uuid}, to {} recipients, with {} attachments",
        email.recipients(),
        email.attachments.len()
    );
    uuid
}

/// The same error, with what it is about. Whatever became of a content, no message is out.
fn not_sent(uuid: &str, part: &str, error: Error) -> Error {
    let told = |why: &dyn std::fmt::Display| {
        format!("the e-mail {uuid} was not sent, since {part} could not be stored: {why}")
    };
    match error {
        Error::Unavailable { what, source, .. } => {
            Error::Unavailable { what: told(&what), outcome: Outcome::NotSent, source }
        }
        Error::Rejected { why, .. } => Error::Rejected { why: told(&why), outcome: Outcome::NotSent },
        Error::Config { why } => Error::Config { why: told(&why) },
        Error::Encode { source } => Error::Encode { source: told(&source).into() },
        other => other,
    }
}

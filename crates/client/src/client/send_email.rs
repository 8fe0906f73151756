//! Sending e-mails: stores their bodies and attachments, then notifies the e-mail service. E-mails themselves are in the
//! module `email`.

use std::sync::Arc;

use uuid::Uuid;
use zc_events_protocol::{Channel, Outcome};

use super::EventClient;
use super::call_request::CallRequest;
use crate::blobs::BlobStore;
use crate::email::{Attachment, EVENT_TYPE, Email, EmailKeys, StoredEmail};
use crate::settings::BlobBucket;
use crate::{Error, Result};

/// The content type of a file.
const BYTES: &str = "application/octet-stream";

impl EventClient {
    /// Sends an e-mail through the fleet's e-mail service. First it stores the bodies and attachments in the blob store of
    /// the settings ([`EventClient::email_blobs`]), within `EVENTS_CONTENT_TIMEOUT`. Then it notifies the service and waits
    /// for the broker's confirm, within `EVENTS_PUBLISH_TIMEOUT`. The message is that of zc_events 0.2 and later:
    /// `send_email` on the exchange for notifications, with `microservice.notification.email`.
    ///
    /// If storing fails, nothing is sent. The blobs stay in the store, also after a failure: a bucket needs a rule that
    /// deletes old blobs. To repeat only the sending, see [`EventClient::store_email`].
    ///
    /// ```
    /// # use zc_events::{Email, Error, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let sent = client.send_email(&Email::new().to("ada@example.com").subject("Lunch").html_body("<p>It is ready.</p>"));
    /// // No e-mail service is running.
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

    /// [`EventClient::send_email`] with this blob store. The e-mail service needs the same store.
    ///
    /// # Errors
    /// As for [`EventClient::send_email`].
    pub fn send_email_with(&self, store: &dyn BlobStore, email: &Email) -> Result<StoredEmail> {
        let stored = self.store_email_with(store, email)?;
        self.send_stored_email(&stored)?;
        Ok(stored)
    }

    /// Stores the bodies and attachments of an e-mail without sending it. An e-mail without them needs no blob store.
    ///
    /// ```
    /// # use zc_events::{Email, EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let stored = client.store_email(&Email::new().to("ada@example.com").plaintext_body("Lunch is ready."))?;
    /// let sent = client.send_stored_email(&stored).or_else(|error| {
    ///     // Try once more after a transient failure.
    ///     if error.is_retryable() { client.send_stored_email(&stored) } else { Err(error) }
    /// });
    /// assert!(sent.is_err()); // no e-mail service is running
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Encode`]: the e-mail is invalid, as [`Email::check`] says, or a file cannot be read. [`Error::TooLarge`]:
    /// a body or attachment is larger than the store accepts. [`Error::Config`]: the settings name no blob store. Other
    /// errors of the store, with the e-mail's UUID and the part. Nothing was sent.
    pub fn store_email(&self, email: &Email) -> Result<StoredEmail> {
        email.check()?;
        if email.has_blobs() {
            return self.store_email_with(&*self.email_blobs()?, email);
        }
        StoredEmail::new(begin(email), email, &EmailKeys::default())
    }

    /// [`EventClient::store_email`] with this blob store.
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
        StoredEmail::new(uuid, email, &keys)
    }

    /// Notifies the e-mail service of a stored e-mail, and waits for the broker's confirm. May be repeated after a failure:
    /// the message and its id stay the same.
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

    fn store_blobs(&self, store: &dyn BlobStore, uuid: &str, email: &Email) -> Result<EmailKeys> {
        let inner = self.inner();
        let deadline = inner.deadline(inner.settings.blobs.timeout);
        let mut keys = EmailKeys::new(uuid, inner.clock().wall())?;
        let put = |part: &str, key: &str, content_type: &str, blob: &[u8]| {
            store.put(key, content_type, blob, deadline).map_err(|error| not_sent(uuid, part, error.into()))
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
                Attachment::Bytes { content_type, bytes, .. } => put(&part, &key, content_type, bytes)?,
                Attachment::File(path) => {
                    let put = store.put_file(&key, BYTES, path, deadline);
                    put.map_err(|error| not_sent(uuid, &part, error.into()))?;
                }
            }
        }
        Ok(keys)
    }

    /// The blob store of the bodies and attachments of e-mails, as the settings say. A receiver of e-mails fetches them
    /// here by their keys. Returns the same store each time; it connects when it is used.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let deadline = client.settings().clock().deadline(Duration::from_secs(5));
    /// assert_eq!(client.email_blobs()?.get("2026-11-23/no/such/mail", deadline)?, None);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): the settings name no blob store, or are wrong.
    pub fn email_blobs(&self) -> Result<Arc<dyn BlobStore>> {
        self.inner().blob_stores.get(BlobBucket::Email, self.settings())
    }
}

impl StoredEmail {
    /// Calls the function `send_email` of the e-mail service, as `zc_events.contrib.email.send` does. Python waits for no
    /// answer by default: [`CallRequest::no_wait`].
    ///
    /// # Errors
    /// As for [`CallRequest::data`].
    pub fn post(&self, client: &EventClient) -> Result<CallRequest> {
        client.post(EVENT_TYPE).data(self.data())
    }
}

/// Creates the UUID of an e-mail, and logs that it is going to be stored.
fn begin(email: &Email) -> String {
    let uuid = Uuid::new_v4().to_string();
    log::info!(
        "MICROSERVICE_SEND_EMAIL: Upload email with UUID {uuid}, to {} recipients, with {} attachments",
        email.recipients(),
        email.attachments.len()
    );
    uuid
}

/// The error of a part that could not be stored. No message was sent.
fn not_sent(uuid: &str, part: &str, error: Error) -> Error {
    let told = |why: &dyn std::fmt::Display| {
        format!("the e-mail {uuid} was not sent because {part} could not be stored: {why}")
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

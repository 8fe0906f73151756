//! The stores of what is too large for a message, as the settings have them.

use std::sync::Arc;

use super::EventClient;
use crate::Result;
use crate::content::{Bucket, ContentStore};

impl EventClient {
    /// The store of the bodies and attachments of e-mails, as the settings have it; for whoever receives e-mails, to fetch
    /// what their keys name. Always the same store; it connects when it is asked for something.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let deadline = client.settings().clock().deadline(Duration::from_secs(5));
    /// assert_eq!(client.email_contents()?.get("2026-11-23/no/such/mail", deadline)?, None);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): the settings name none, or a wrong one.
    pub fn email_contents(&self) -> Result<Arc<dyn ContentStore>> {
        self.inner().contents.get(Bucket::Email, self.settings())
    }

    /// The store of the batches of index rebuilds, as the settings have it; for whoever receives them, to fetch what their
    /// `s3_key` names. Always the same store; it connects when it is asked for something.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zc_events::{EventClient, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_content_url("memory://").staging_name("test");
    /// let client = EventClient::new(settings.aws_indexer_bucket_name("index").build()?)?;
    /// let deadline = client.settings().clock().deadline(Duration::from_secs(5));
    /// assert_eq!(client.index_contents()?.take("0c1b6c0e-3f5a-4e43-9a86-5b7f4a3a4a52", deadline)?, None);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`EventClient::email_contents`]; the bucket has no default.
    pub fn index_contents(&self) -> Result<Arc<dyn ContentStore>> {
        self.inner().contents.get(Bucket::Index, self.settings())
    }
}

//! E-mails: composing (`compose`, `address`, `attachment`), checking (`check_email`), and the stored e-mail with its messages
//! (`stored_email`, `blob_keys`). The client stores and sends them.

mod address;
mod attachment;
mod blob_keys;
mod check_email;
mod compose;
mod stored_email;

pub use address::Addresses;
pub use compose::Email;
pub use stored_email::StoredEmail;

pub(crate) use attachment::Attachment;
pub(crate) use blob_keys::EmailKeys;
pub(crate) use stored_email::EVENT_TYPE;

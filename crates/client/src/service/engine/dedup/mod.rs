//! Deduplication: a completed message is not handled again. `local` is what this process knows, `store` what the reply store
//! knows of all processes of the service.

pub(super) mod local;
pub(super) mod store;

#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod folder;
mod key;
pub mod local_file;
mod memory;
#[cfg(feature = "s3")]
mod s3;
mod store;

pub use error::{Error, Result};
pub use folder::FolderBlobStore;
pub use memory::MemoryBlobStore;
#[cfg(feature = "s3")]
pub use s3::{Addressing, S3BlobStore, S3Options};
pub use store::{BlobStore, MAX_BYTES};

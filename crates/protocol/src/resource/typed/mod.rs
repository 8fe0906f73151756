//! Deserialization of resources into types of the user.

mod accessors;
mod include_path;
mod included;
mod resource;
mod resource_deserializer;
mod resource_parts;

pub(super) use included::Included;
pub use resource::Resource;
pub(super) use resource::from_object;

#[cfg(test)]
mod tests;

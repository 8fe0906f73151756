//! Requests for resources of other services.

mod query;
mod request_event;
mod resource_request;

pub use query::Query;
pub use resource_request::ResourceRequest;

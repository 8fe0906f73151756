//! A view that counts how often it creates an order, and a service with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zc_events::{Context, Document, EventClient, ResourceObject, ResourceView, Service, ViewResult};

pub(crate) struct Counted(pub(crate) Arc<AtomicU32>);

impl ResourceView for Counted {
    fn create(&self, _: &Context) -> ViewResult {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Document::one(ResourceObject::new("Order", number)).into())
    }
}

/// A service with the view, and how often the view has created an order.
pub(crate) fn serve_counted(client: &EventClient) -> (Service, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let service = Service::builder(client).resource("Order", Counted(Arc::clone(&count))).start().unwrap();
    (service, count)
}

//! What a service builder refuses.

use serde_json::Value;
use zc_events::{Context, EventClient, Service, Settings};

use crate::support::ManualFleet;

#[test]
fn builder_refuses_a_missing_service_name_and_duplicate_handlers() {
    let settings = Settings::builder().broker_url("memory://").staging_name("test").build().unwrap();
    let client = EventClient::new(settings).unwrap();
    let error = Service::builder(&client).start().unwrap_err().to_string();
    assert!(error.contains("SERVICE_NAME"), "{error}");
    let client = ManualFleet::new("twice").client();
    let handler = |_: &Context, _: Value| Ok(());
    let error = Service::builder(&client).on("e", handler).on("e", handler).start().unwrap_err().to_string();
    assert!(error.contains("two handlers"), "{error}");
}

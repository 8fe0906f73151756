//! Answers, waiting, failures.

use serde_json::{Value, json};
use zc_events::blobs::{BlobStore, FolderBlobStore};
use zc_events::{
    CallFailure, Email, Error, Event, EventClient, Outcome, PendingSet, RemoteFailure, RemoteRequest, Settings, Stage,
};
use zc_events_testing::{Expectation, Fleet, SendFault};

use super::scene::{failed_call, fleet_of, lunch, not_found, of_a_missing_order, refused, soon};
use super::{Row, rows};

/// What an emit says at which a fault occurs.
fn unsent(fault: SendFault) -> Error {
    let fleet = Fleet::new();
    fleet.fail_sends(fault, 1);
    fleet.client("shop").emit(&Event::new("order_created")).unwrap_err()
}

fn unanswered() -> Error {
    let fleet = fleet_of(Expectation::get("Order").pk(5).never_answers());
    fleet.client("shop").get_remote_resource::<Value>("Order", 5).unwrap_err()
}

fn unreadable() -> Error {
    let fleet = fleet_of(Expectation::get("Order").pk(5).answer(200, json!({"meta": {}})));
    fleet.client("shop").get_remote_resource::<Value>("Order", 5).unwrap_err()
}

fn unstored() -> Error {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "no folder").unwrap();
    FolderBlobStore::new(folder.path().join("file")).put("key", "text/plain", b"", soon()).unwrap_err().into()
}

/// A fleet with two orders, of which one is there.
fn two_orders() -> Fleet {
    let fleet = fleet_of(Expectation::get("Order").pk(5).answer(200, lunch()));
    fleet.expect(Expectation::get("Order").pk(6).answer(404, not_found()));
    fleet
}

/// The request for data that a form has sent.
fn asked_for_data(form: impl Fn(&EventClient) -> zc_events::Result<zc_events::Answer>) {
    let company = Expectation::get("Order").pk(5).query("include", "company").query("page_size", 10);
    let fleet = fleet_of(company.answer(404, not_found()));
    let answer = form(&fleet.client("shop")).unwrap();
    assert_eq!((answer.status(), answer.data().unwrap()), (404, Some(not_found())));
    assert_eq!(fleet.emitted("order_request")[0].priority(), Some(9));
}

pub(crate) fn failures() -> Vec<Row> {
    rows! {
        "`event.complete()`, which raises for a status of 400 and above" => |request: RemoteRequest|
            request.send().and_then(|pending| pending.wait());
            |form| assert_eq!(of_a_missing_order(form).unwrap_err().status(), Some(404)),
        "`event.wait()`, `wait_for_response(response_key)`, `get_request_event_response(response_key)`: the answer, whatever its status" =>
            |request: RemoteRequest| request.send().and_then(|pending| pending.wait_any());
            |form| assert_eq!(of_a_missing_order(form).unwrap().status(), 404),
        "`make_service_request(..)`, `get_remote_resource_data(..)`: the answer, `{'status': .., 'body': '..'}`" =>
            |request: RemoteRequest| request.fetch_any().and_then(|answer| Ok((answer.status(), answer.data()?)));
            |form| assert_eq!(of_a_missing_order(form).unwrap(), (404, Some(not_found()))),
        "`get_remote_resource_data('Order', 5, include='company', page_size=10)`" => |client: &EventClient|
            client.remote("Order").pk(5).include("company").page_size(10).priority(9).fetch_any();
            |form| asked_for_data(form),
        "waiting for several" => |set: PendingSet| set.wait_all(std::time::Duration::from_secs(5));
            |form| {
                let fleet = two_orders();
                let client = fleet.client("shop");
                let set = [5, 6].into_iter().map(|pk| client.remote("Order").pk(pk).send()).collect::<Result<_, _>>();
                let all = form(set.unwrap());
                assert!(all[0].is_ok());
                assert_eq!(all[1].as_ref().unwrap_err().status(), Some(404));
            },
        "`RequestTimeout` (status 408)" => |error: Error| matches!(error, Error::Timeout { stage: Stage::Reply });
            |form| assert!(form(unanswered())),
        "`ServiceRequestException`" => |error: Error| matches!(error, Error::Remote { status: 404, .. });
            |form| assert!(form(refused())),
        "the text of `ServiceRequestException`: the body of the answer" => |failure: &RemoteFailure| (failure.errors(), failure.body());
            |form| {
                let Error::Remote { failure, .. } = refused() else { panic!("no answer") };
                let (errors, body) = form(&failure);
                assert_eq!((errors[0].detail.as_deref(), body), (Some("Not found."), Some(not_found())));
            },
        "`RemoteResourceException`" => |error: Error| matches!(error, Error::Decode { .. });
            |form| assert!(form(unreadable())),
        "`EmitEventException`" => |error: Error| matches!(
            error,
            Error::Unroutable { .. } | Error::Nacked { .. } | Error::Blocked { .. } | Error::Unavailable { .. }
        );
            |form| {
                for fault in [SendFault::Unroutable, SendFault::Nacked, SendFault::Unavailable] {
                    assert!(form(unsent(fault)), "{fault:?}");
                }
                let fleet = Fleet::new();
                fleet.block_broker(Some("low on memory"));
                assert!(form(fleet.client("shop").emit(&Event::new("order_created")).unwrap_err()));
            },
        "no counterpart in Python: whether the message may have gone out" =>
            |error: &Error| error.outcome() == Outcome::Unknown;
            |form| {
                assert!(form(&unsent(SendFault::ConfirmLost)));
                assert!(!form(&unsent(SendFault::Unroutable)));
            },
        "`response.has_errors`" => |error: Error| matches!(error, Error::Call { .. });
            |form| assert!(form(failed_call())),
        "`response.errors`, a list of `type`, `message`, `trace`" => |failure: &CallFailure|
            failure.errors().iter().map(|error| (error.kind.clone(), error.message.clone(), error.trace.clone())).collect::<Vec<_>>();
            |form| {
                let Error::Call { failure, .. } = failed_call() else { panic!("no failure") };
                let errors = form(&failure);
                assert_eq!((errors[0].0.as_str(), errors[0].1.as_str()), ("KeyError", "'y'"));
            },
        "`ImproperlyConfigured`, or `AttributeError` for a setting" => |error: Error| matches!(error, Error::Config { .. });
            |form| assert!(form(Settings::builder().broker_url("nothing").build().unwrap_err())),
        "`S3IOException`" => |error: Error| matches!(error, Error::Unavailable { .. } | Error::Rejected { .. });
            |form| assert!(form(unstored())),
        "`TypeError` from `send_email`" => |error: Error| matches!(error, Error::Encode { .. });
            |form| assert!(form(Email::new().check().unwrap_err())),
    }
}

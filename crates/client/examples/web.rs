//! A web service on remote resources: the page of a customer's order combines the answers of two services, which are
//! requested at the same time. Their failures become the matching HTTP status.
//!
//! ```text
//! cargo run --example web      # with the settings of the environment, on port 8080
//! cargo test --example web
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tiny_http::{Header, Response, Server};
use zc_events::{Error, EventClient, Value};

/// The longest time that a visitor waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// The number of visitors that are served at once.
const THREADS: usize = 8;

#[derive(Deserialize)]
struct Order {
    name: String,
    company_id: u64,
}

#[derive(Deserialize)]
struct Company {
    name: String,
}

/// The answer to a visitor.
struct Page {
    status: u16,
    body: Value,
}

/// The page at `url`. A query is ignored.
fn page(client: &EventClient, url: &str) -> Page {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    let Some(number) = path.strip_prefix("/orders/").and_then(|number| number.parse::<u64>().ok()) else {
        return Page { status: 404, body: json!({"error": "there is no such page"}) };
    };
    order(client, number).unwrap_or_else(|error| refusal(number, &error))
}

fn order(client: &EventClient, number: u64) -> Result<Page, Error> {
    // One deadline for the whole page: later steps get the remaining time.
    let clock = client.settings().clock();
    let deadline = clock.deadline(PATIENCE);
    let left = || deadline.remaining(clock);
    // The menu does not depend on the order: request both, then wait for both.
    let menu = client.get("menu").timeout(left()).send::<Vec<String>>()?;
    let order: Order = client.remote("Order").pk(number).timeout(left()).fetch()?;
    let company: Company = client.remote("Company").pk(order.company_id).timeout(left()).fetch()?;
    // A page without the menu is better than no page.
    let menu = menu.wait().unwrap_or_default();
    Ok(Page { status: 200, body: json!({"order": order.name, "company": company.name, "menu": menu}) })
}

/// The page for an error. It says whether to try again, and shows no internals.
fn refusal(number: u64, error: &Error) -> Page {
    let (status, text) = match error {
        Error::Remote { status: 404, resource, .. } if resource == "Order" => {
            (404, format!("there is no order {number}"))
        }
        Error::Remote { .. } | Error::Call { .. } | Error::Decode { .. } => (502, "a service failed".to_owned()),
        Error::Timeout { .. } => (504, "a service did not answer in time".to_owned()),
        error if error.is_retryable() => (503, "not available at the moment".to_owned()),
        _ => (500, "something is wrong here".to_owned()),
    };
    log::warn!("order {number}: {status}: {error}");
    Page { status, body: json!({"error": text}) }
}

/// Serves pages until the server is told to stop.
fn serve(server: &Arc<Server>, client: &EventClient) {
    let json = || Header::from_bytes("Content-Type", "application/json").ok();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Ok(request) = server.recv() {
                    let Page { status, body } = page(client, request.url());
                    let mut response = Response::from_string(body.to_string()).with_status_code(status);
                    if let Some(header) = json() {
                        response.add_header(header);
                    }
                    if let Err(error) = request.respond(response) {
                        log::debug!("a visitor has left: {error}");
                    }
                }
            });
        }
    });
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .filter_module("amiquip", log::LevelFilter::Off)
        .init();
    let client = EventClient::from_env()?;
    let server = Arc::new(Server::http("127.0.0.1:8080").map_err(io::Error::other)?);
    serve(&server, &client);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use zc_events_testing::{Expectation, Fleet};

    use super::*;

    fn order_and_company(fleet: &Fleet) {
        let order = json!({"type": "Order", "id": "5", "attributes": {"name": "Lunch", "company_id": 7}});
        let company = json!({"type": "Company", "id": "7", "attributes": {"name": "Acme"}});
        fleet.expect(Expectation::get("Order").pk(5).answer(200, json!({"data": order})));
        fleet.expect(Expectation::get("Company").pk(7).answer(200, json!({"data": company})));
    }

    fn get(fleet: &Fleet, path: &str) -> (u16, Value) {
        let Page { status, body } = page(&fleet.client("web"), path);
        (status, body)
    }

    #[test]
    fn a_page_is_put_together_from_what_services_answer() {
        let fleet = Fleet::new();
        order_and_company(&fleet);
        fleet.expect(Expectation::call("menu").returns(json!(["soup"])));
        let expected = json!({"order": "Lunch", "company": "Acme", "menu": ["soup"]});
        assert_eq!(get(&fleet, "/orders/5"), (200, expected));
    }

    #[test]
    fn a_query_changes_no_page() {
        let fleet = Fleet::new();
        order_and_company(&fleet);
        fleet.expect(Expectation::call("menu").returns(json!([])));
        assert_eq!(get(&fleet, "/orders/5?from=mail").0, 200);
        assert_eq!(get(&fleet, "/elsewhere?/orders/5").0, 404);
    }

    #[test]
    fn what_is_not_needed_may_fail() {
        let fleet = Fleet::new();
        order_and_company(&fleet);
        fleet.expect(Expectation::call("menu").never_answers());
        assert_eq!(get(&fleet, "/orders/5").1["menu"], json!([]));
    }

    #[test]
    fn what_goes_wrong_there_is_the_right_status_here() {
        for (answer, status) in [
            (Expectation::get("Order").pk(5).status(404), 404),
            (Expectation::get("Order").pk(5).status(500), 502),
            (Expectation::get("Order").pk(5).answer(200, json!({"data": []})), 502),
            (Expectation::get("Order").pk(5).never_answers(), 504),
        ] {
            let fleet = Fleet::new();
            fleet.expect(Expectation::call("menu"));
            fleet.expect(answer);
            assert_eq!(get(&fleet, "/orders/5").0, status);
            fleet.settle();
        }
        let fleet = Fleet::new();
        assert_eq!(get(&fleet, "/elsewhere").0, 404);
        fleet.take_broker_down(Some("down"));
        assert_eq!(get(&fleet, "/orders/5").0, 503);
    }

    #[test]
    fn it_answers_over_http() {
        let fleet = Fleet::new();
        order_and_company(&fleet);
        fleet.expect(Expectation::call("menu").returns(json!([])));
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let address = server.server_addr().to_ip().unwrap();
        let client = fleet.client("web");
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&server, &client));
            let mut visitor = TcpStream::connect(address).unwrap();
            visitor.write_all(b"GET /orders/5 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            visitor.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(answer.ends_with(r#"{"company":"Acme","menu":[],"order":"Lunch"}"#), "{answer}");
            (0..THREADS).for_each(|_| server.unblock());
        });
    }
}

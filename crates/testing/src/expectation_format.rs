//! The form of expectations in a file: JSON, TOML or any other format that serde reads.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use zc_events_protocol::{Method, RemoteError};

use crate::expectation::Expectation;
use crate::received_request::plain_text;

/// The members of an expectation in a file:
///
/// | member | type | meaning |
/// |---|---|---|
/// | `resource` | string | expects a request for this resource, such as `"Order"` |
/// | `call` | string | expects a call of the function with this key |
/// | `method` | string | the method; GET by default, any for calls |
/// | `pk` | string, number, list | the primary key; `"*"` allows any or none; a list is `filter[id__in]` |
/// | `query` | object | query parameters |
/// | `related_resource`, `relationship` | string | the path below the resource |
/// | `user`, `roles` | string or number; list | the user and the roles of the request |
/// | `data` | any | the body of a request, or the data of a call |
/// | `headers` | object | headers of a call |
/// | `status` | number | the status of the reply, 100 to 599; by default 200 with a body and 204 without |
/// | `body` | any | the body of the reply |
/// | `result` | any | the result of the function |
/// | `errors` | list | the failure of the function: `type`, `message`, `trace` |
/// | `silent` | boolean | no reply |
/// | `delay` | number | seconds before the reply |
/// | `error_rate` | number | the share of requests that fail at random, from 0 to 1 |
/// | `times` | number, `"always"` | how often the request is expected, at least 1 |
///
/// For a call, `pk`, `query`, `user` and `roles` are headers.
///
/// ```
/// use zc_events_testing::Expectation;
///
/// let expected: Vec<Expectation> = serde_json::from_str(
///     r#"[
///         {"resource": "Order", "pk": 5, "body": {"data": {"type": "Order", "id": "5"}}},
///         {"resource": "Order", "pk": 6, "status": 404, "body": {"errors": [{"status": "404"}]}, "times": "always"},
///         {"call": "add", "data": {"x": 1, "y": 2}, "result": 3},
///         {"call": "boom", "errors": [{"type": "KeyError", "message": "'y'"}]}
///     ]"#,
/// )
/// .unwrap();
/// assert_eq!(expected.len(), 4);
/// ```
impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ExpectationForm::deserialize(deserializer)?.read().map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectationForm {
    resource: Option<String>,
    call: Option<String>,
    method: Option<String>,
    pk: Option<Value>,
    #[serde(default)]
    query: Map<String, Value>,
    related_resource: Option<String>,
    relationship: Option<String>,
    user: Option<Value>,
    roles: Option<Vec<String>>,
    data: Option<Value>,
    #[serde(default)]
    headers: Map<String, Value>,
    status: Option<Value>,
    body: Option<Value>,
    result: Option<Value>,
    errors: Option<Vec<ErrorForm>>,
    #[serde(default)]
    silent: bool,
    delay: Option<f64>,
    error_rate: Option<f64>,
    times: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorForm {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
    trace: Option<String>,
}

impl ExpectationForm {
    /// A member that has no meaning for this kind of request.
    fn misplaced(&self) -> Option<String> {
        let of_requests = [
            ("related_resource", self.related_resource.is_some()),
            ("relationship", self.relationship.is_some()),
            ("status", self.status.is_some()),
            ("body", self.body.is_some()),
        ];
        let of_calls = [("result", self.result.is_some()), ("headers", !self.headers.is_empty())];
        let first =
            |members: &[(&'static str, bool)]| members.iter().find(|(_, is_set)| *is_set).map(|(name, _)| *name);
        if self.call.is_some() {
            let name = first(&of_requests)?;
            return Some(format!("`{name}` is not allowed with `call`; the reply is `result`, `errors` or `silent`"));
        }
        let name = first(&of_calls)?;
        Some(format!("`{name}` is not allowed with `resource`; the reply is `status` and `body`, `errors` or `silent`"))
    }

    fn read(self) -> Result<Expectation, String> {
        let method = self.method.as_deref().map(str::parse::<Method>).transpose().map_err(|error| error.to_string())?;
        let mut expected = match (&self.resource, &self.call) {
            (Some(resource), None) => Expectation::request(method.unwrap_or(Method::Get), resource),
            (None, Some(key)) => Expectation::call(key),
            _ => return Err("set either `resource` or `call`".to_owned()),
        };
        if let Some(why) = self.misplaced() {
            return Err(why);
        }
        if let Some(method) = method {
            expected = expected.method(method);
        }
        expected = match self.pk {
            None | Some(Value::Null) => expected,
            Some(Value::String(any)) if any == "*" => expected.any_pk(),
            Some(Value::Array(pks)) => expected.pks(pks.iter().map(plain_text)),
            Some(Value::Object(_) | Value::Bool(_)) => {
                return Err("`pk` must be a string, a number or a list of them".to_owned());
            }
            Some(pk) => expected.pk(pk),
        };
        for (name, value) in &self.query {
            expected = expected.query(name, plain_text(value));
        }
        if let Some(name) = self.related_resource {
            expected = expected.related_resource(name);
        }
        if let Some(name) = self.relationship {
            expected = expected.relationship(name);
        }
        if let Some(user) = self.user {
            expected = expected.user(user);
        }
        if let Some(roles) = self.roles {
            expected = expected.roles(roles);
        }
        if let Some(data) = self.data {
            expected = expected.data(data);
        }
        for (name, value) in self.headers {
            expected = expected.header(name, value);
        }
        let replies =
            [self.status.is_some() || self.body.is_some(), self.result.is_some(), self.errors.is_some(), self.silent];
        if replies.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err("set one reply only: `status` and `body`, `result`, `errors` or `silent`".to_owned());
        }
        let status = self.status.as_ref().map(status).transpose()?;
        expected = match (status, self.body) {
            (status, Some(body)) => expected.answer(status.unwrap_or(200), body),
            (Some(status), None) => expected.status(status),
            (None, None) => expected,
        };
        if let Some(result) = self.result {
            expected = expected.returns(result);
        }
        if let Some(errors) = self.errors {
            let error = |it: ErrorForm| RemoteError { trace: it.trace, ..RemoteError::new(it.kind, it.message) };
            expected = expected.errors(errors.into_iter().map(error).collect());
        }
        if self.silent {
            expected = expected.never_answers();
        }
        if let Some(delay) = self.delay {
            let delay = Duration::try_from_secs_f64(delay);
            expected = expected.after(delay.map_err(|_| "`delay` must be a number of seconds, at least 0".to_owned())?);
        }
        if let Some(rate) = self.error_rate {
            if !(0.0..=1.0).contains(&rate) {
                return Err("`error_rate` must be a number from 0 to 1".to_owned());
            }
            expected = expected.error_rate(rate);
        }
        match self.times {
            None => Ok(expected),
            Some(Value::String(always)) if always == "always" => Ok(expected.always()),
            Some(times) => match times.as_u64().and_then(|times| u32::try_from(times).ok()) {
                Some(times @ 1..) => Ok(expected.times(times)),
                _ => Err("`times` must be a whole number of at least 1, or \"always\"".to_owned()),
            },
        }
    }
}

fn status(written: &Value) -> Result<u16, String> {
    let status = written.as_u64().and_then(|status| u16::try_from(status).ok());
    status
        .filter(|status| (100..=599).contains(status))
        .ok_or_else(|| "`status` must be a number from 100 to 599".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(written: Value) -> String {
        serde_json::from_value::<Expectation>(written).unwrap_err().to_string()
    }

    #[test]
    fn a_file_gives_the_same_expectations_as_the_methods() {
        let read = |written: Value| serde_json::from_value::<Expectation>(written).unwrap();
        assert_eq!(
            read(json!({"resource": "Order", "method": "patch", "pk": 5, "query": {"a": 1}, "user": "56",
                "roles": ["staff"], "data": {"x": 1}, "related_resource": "items", "status": 202, "body": [],
                "times": 2, "delay": 1.5, "error_rate": 0.25})),
            Expectation::patch("Order")
                .pk("5")
                .query("a", 1)
                .user("56")
                .roles(["staff"])
                .data(json!({"x": 1}))
                .related_resource("items")
                .answer(202, json!([]))
                .times(2)
                .after(Duration::from_millis(1500))
                .error_rate(0.25)
        );
        assert_eq!(read(json!({"resource": "Order", "pk": [1, "2"]})), Expectation::get("Order").pks(["1", "2"]));
        assert_eq!(
            read(json!({"call": "boom", "errors": [{"type": "E", "message": "m"}], "times": "always"})),
            Expectation::call("boom").fails("E", "m").always()
        );
        assert_eq!(
            read(json!({"call": "add", "headers": {"a": 1}, "user": 56, "pk": 5, "result": 3})),
            Expectation::call("add").header("a", 1).user(56).pk(5).returns(3)
        );
        assert_eq!(read(json!({"call": "add", "silent": true})), Expectation::call("add").never_answers());
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        for (written, why) in [
            (json!({}), "either `resource` or `call`"),
            (json!({"resource": "A", "call": "b"}), "either `resource` or `call`"),
            (json!({"resource": "A", "methid": "GET"}), "unknown field `methid`"),
            (json!({"resource": "A", "method": "FETCH"}), "use GET"),
            (json!({"resource": "A", "status": 200, "silent": true}), "set one reply only"),
            (json!({"call": "a", "result": 1, "errors": []}), "set one reply only"),
            (json!({"resource": "A", "delay": -1}), "`delay`"),
            (json!({"resource": "A", "error_rate": 2}), "`error_rate`"),
            (json!({"resource": "A", "times": "twice"}), "`times`"),
            (json!({"resource": "A", "pk": {}}), "`pk`"),
            (json!({"resource": "A", "status": 7}), "`status` must be a number from 100 to 599"),
            (json!({"resource": "A", "status": 99999}), "`status` must be a number from 100 to 599"),
            (json!({"resource": "A", "status": "200"}), "`status` must be a number from 100 to 599"),
            (json!({"resource": "A", "result": 1}), "`result` is not allowed with `resource`"),
            (json!({"resource": "A", "headers": {"a": 1}}), "`headers` is not allowed with `resource`"),
            (json!({"call": "a", "status": 500}), "`status` is not allowed with `call`"),
            (json!({"call": "a", "body": {}}), "`body` is not allowed with `call`"),
            (json!({"call": "a", "related_resource": "b"}), "`related_resource` is not allowed with `call`"),
            (json!({"call": "a", "times": 0}), "`times` must be a whole number of at least 1"),
        ] {
            let text = error(written.clone());
            assert!(text.contains(why), "{written}: {text}");
        }
    }
}

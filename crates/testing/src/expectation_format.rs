//! The form that expectations have in a file: the same for a test's JSON, and for whatever else serde reads.
//! What they mean is in `expectation`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use zc_events_protocol::{Method, RemoteError};

use crate::expectation::Expectation;
use crate::received_request::text;

/// How an expectation is written:
///
/// | member | | |
/// |---|---|---|
/// | `resource` | text | a request for this resource is expected, such as `"Order"`; or |
/// | `call` | text | a call of the function with this key |
/// | `method` | text | GET unless set; any, of calls |
/// | `pk` | text, number, list | the primary key; `"*"` for any or none; a list for those, as `filter[id__in]` |
/// | `query` | object | parameters that the query has |
/// | `related_resource`, `relationship` | text | |
/// | `user`, `roles` | | on whose behalf |
/// | `data` | any | the body, or the data of a call |
/// | `headers` | object | what a call has beside its data |
/// | `status` | number | of the answer to a request, 100 to 599; 200 with a body, and 204 without, unless set |
/// | `body` | any | the answer's |
/// | `result` | any | what the function returns |
/// | `errors` | list | how it fails: `type`, `message`, `trace` |
/// | `silent` | boolean | whether there is no answer |
/// | `delay` | number | seconds until the answer |
/// | `error_rate` | number | how often it fails by chance, from 0 to 1 |
/// | `times` | number, `"always"` | how often it is expected, 1 or more |
///
/// Of a call `pk`, `query`, `user` and `roles` are those of its headers.
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
        Written::deserialize(deserializer)?.read().map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
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
    errors: Option<Vec<WrittenError>>,
    #[serde(default)]
    silent: bool,
    delay: Option<f64>,
    error_rate: Option<f64>,
    times: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenError {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
    trace: Option<String>,
}

impl Written {
    /// What is said and would have no effect, since it is none of a call's, or none of a resource's.
    fn misfit(&self) -> Option<String> {
        let others = [
            ("related_resource", self.related_resource.is_some()),
            ("relationship", self.relationship.is_some()),
            ("status", self.status.is_some()),
            ("body", self.body.is_some()),
        ];
        let of_call = [("result", self.result.is_some()), ("headers", !self.headers.is_empty())];
        let said =
            |members: &[(&'static str, bool)]| members.iter().find(|(_, is_said)| *is_said).map(|(name, _)| *name);
        if self.call.is_some() {
            let name = said(&others)?;
            return Some(format!("a `call` has no `{name}`: it is answered with `result` or `errors`, or `silent`"));
        }
        let name = said(&of_call)?;
        Some(format!("a `resource` has no `{name}`: it is answered with `status` and `body`, or `silent`"))
    }

    fn read(self) -> Result<Expectation, String> {
        let method = self.method.as_deref().map(str::parse::<Method>).transpose().map_err(|error| error.to_string())?;
        let mut expected = match (&self.resource, &self.call) {
            (Some(resource), None) => Expectation::request(method.unwrap_or(Method::Get), resource),
            (None, Some(key)) => Expectation::call(key),
            _ => return Err("it needs either a `resource` or a `call`".to_owned()),
        };
        if let Some(misfit) = self.misfit() {
            return Err(misfit);
        }
        if let Some(method) = method {
            expected = expected.method(method);
        }
        expected = match self.pk {
            None | Some(Value::Null) => expected,
            Some(Value::String(any)) if any == "*" => expected.any_pk(),
            Some(Value::Array(pks)) => expected.pks(pks.iter().map(text)),
            Some(Value::Object(_) | Value::Bool(_)) => {
                return Err("`pk` is a text, a number or a list of those".to_owned());
            }
            Some(pk) => expected.pk(pk),
        };
        for (name, value) in &self.query {
            expected = expected.query(name, text(value));
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
        let answers =
            [self.status.is_some() || self.body.is_some(), self.result.is_some(), self.errors.is_some(), self.silent];
        if answers.into_iter().filter(|is_there| *is_there).count() > 1 {
            return Err("it has more than one answer: `status` and `body`, `result`, `errors` or `silent`".to_owned());
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
            let error = |it: WrittenError| RemoteError { trace: it.trace, ..RemoteError::new(it.kind, it.message) };
            expected = expected.errors(errors.into_iter().map(error).collect());
        }
        if self.silent {
            expected = expected.never_answers();
        }
        if let Some(delay) = self.delay {
            let delay = Duration::try_from_secs_f64(delay);
            expected = expected.after(delay.map_err(|_| "`delay` is a number of seconds, 0 or more".to_owned())?);
        }
        if let Some(rate) = self.error_rate {
            if !(0.0..=1.0).contains(&rate) {
                return Err("`error_rate` is a number from 0 to 1".to_owned());
            }
            expected = expected.error_rate(rate);
        }
        match self.times {
            None => Ok(expected),
            Some(Value::String(always)) if always == "always" => Ok(expected.always()),
            Some(times) => match times.as_u64().and_then(|times| u32::try_from(times).ok()) {
                Some(times @ 1..) => Ok(expected.times(times)),
                _ => Err("`times` is a whole number, 1 or more, or \"always\"".to_owned()),
            },
        }
    }
}

fn status(written: &Value) -> Result<u16, String> {
    let status = written.as_u64().and_then(|status| u16::try_from(status).ok());
    status
        .filter(|status| (100..=599).contains(status))
        .ok_or_else(|| "`status` is a number from 100 to 599".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(written: Value) -> String {
        serde_json::from_value::<Expectation>(written).unwrap_err().to_string()
    }

    #[test]
    fn it_reads_as_what_the_methods_make() {
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
    fn what_makes_no_sense_is_refused_and_says_why() {
        for (written, why) in [
            (json!({}), "either a `resource` or a `call`"),
            (json!({"resource": "A", "call": "b"}), "either a `resource` or a `call`"),
            (json!({"resource": "A", "methid": "GET"}), "unknown field `methid`"),
            (json!({"resource": "A", "method": "FETCH"}), "use GET"),
            (json!({"resource": "A", "status": 200, "silent": true}), "more than one answer"),
            (json!({"call": "a", "result": 1, "errors": []}), "more than one answer"),
            (json!({"resource": "A", "delay": -1}), "`delay`"),
            (json!({"resource": "A", "error_rate": 2}), "`error_rate`"),
            (json!({"resource": "A", "times": "twice"}), "`times`"),
            (json!({"resource": "A", "pk": {}}), "`pk`"),
            (json!({"resource": "A", "status": 7}), "`status` is a number from 100 to 599"),
            (json!({"resource": "A", "status": 99999}), "`status` is a number from 100 to 599"),
            (json!({"resource": "A", "status": "200"}), "`status` is a number from 100 to 599"),
            (json!({"resource": "A", "result": 1}), "a `resource` has no `result`"),
            (json!({"resource": "A", "headers": {"a": 1}}), "a `resource` has no `headers`"),
            (json!({"call": "a", "status": 500}), "a `call` has no `status`"),
            (json!({"call": "a", "body": {}}), "a `call` has no `body`"),
            (json!({"call": "a", "related_resource": "b"}), "a `call` has no `related_resource`"),
            (json!({"call": "a", "times": 0}), "`times` is a whole number, 1 or more"),
        ] {
            let text = refused(written.clone());
            assert!(text.contains(why), "{written}: {text}");
        }
    }
}

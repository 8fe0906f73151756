//! Which requests an expectation matches, and how a request differs from it.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde_json::Value;
use zc_events_protocol::Method;

use crate::received_request::{ReceivedRequest, RequestTarget, plain_text, write_path_and_query};

/// The weight of a difference in the target: such requests have nothing in common.
const OTHER_TARGET: u32 = 100;
/// The query parameter that lists primary keys.
pub(crate) const IDS: &str = "filter[id__in]";

/// The conditions of an expectation.
#[derive(Clone, PartialEq)]
pub(crate) struct RequestMatcher {
    pub(crate) target: RequestTarget,
    pub(crate) method: Option<Method>,
    pub(crate) pk: PkMatcher,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) related_resource: Option<String>,
    pub(crate) relationship: Option<String>,
    pub(crate) user: Option<Value>,
    pub(crate) roles: Option<Vec<String>>,
    pub(crate) data: Option<Value>,
    pub(crate) headers: Vec<(String, Value)>,
}

/// The condition for the primary key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PkMatcher {
    None,
    One(String),
    Any,
}

/// One condition that a request does not meet.
pub(crate) struct Difference {
    /// How far this condition takes the request away from the expectation.
    pub(crate) weight: u32,
    pub(crate) text: String,
}

impl Difference {
    /// Whether the request addresses another resource or function.
    pub(crate) fn is_other_target(&self) -> bool {
        self.weight == OTHER_TARGET
    }
}

impl RequestMatcher {
    pub(crate) fn new(target: RequestTarget, method: Option<Method>) -> Self {
        Self {
            target,
            method,
            pk: PkMatcher::None,
            query: Vec::new(),
            related_resource: None,
            relationship: None,
            user: None,
            roles: None,
            data: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn matches(&self, request: &ReceivedRequest) -> bool {
        self.differences(request).is_empty()
    }

    /// The conditions that the request does not meet. The texts show no data and no values of headers, which may be
    /// secrets.
    pub(crate) fn differences(&self, request: &ReceivedRequest) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut differ = |weight, text: String| all.push(Difference { weight, text });
        if self.target != request.target {
            differ(OTHER_TARGET, format!("target differs: got {}", request.target));
        }
        if let Some(method) = self.method.map(Method::as_str)
            && request.method.as_deref() != Some(method)
        {
            differ(10, format!("method differs: got {}", request.method.as_deref().unwrap_or("none")));
        }
        match (&self.pk, &request.pk) {
            (PkMatcher::One(pk), got) if got.as_ref() != Some(pk) => differ(5, value_differs("pk", got)),
            // The key alone identifies a function; its headers may hold any pk.
            (PkMatcher::None, got @ Some(_)) if !self.target.is_call() => differ(5, value_differs("pk", got)),
            _ => {}
        }
        for (name, expected, got) in [
            ("related_resource", &self.related_resource, &request.related_resource),
            ("relationship", &self.relationship, &request.relationship),
        ] {
            if expected != got {
                differ(5, value_differs(name, got));
            }
        }
        for (name, value) in &self.query {
            let got: Vec<&str> = request.query.iter().filter(|(it, _)| it == name).map(|(_, it)| it.as_str()).collect();
            let is_met = |got: &&str| got == value || name == IDS && ids(got) == ids(value);
            if !got.iter().any(is_met) {
                differ(2, value_differs(&format!("query parameter {name}"), &got.first().map(|got| (*got).to_owned())));
            }
        }
        if let Some(user) = &self.user
            && request.user.as_ref().map(plain_text) != Some(plain_text(user))
        {
            differ(1, format!("user differs: expected {user}"));
        }
        if let Some(roles) = &self.roles
            && request.roles != *roles
        {
            differ(1, format!("roles differ: expected {roles:?}"));
        }
        if self.data.is_some() && self.data != request.data {
            differ(1, "data differs".to_owned());
        }
        for (name, _) in self.headers.iter().filter(|(name, value)| request.headers.get(name) != Some(value)) {
            differ(1, format!("header `{name}` differs"));
        }
        all
    }
}

fn value_differs(name: &str, got: &Option<String>) -> String {
    got.as_ref().map_or_else(|| format!("{name} is missing"), |got| format!("{name} differs: got {got:?}"))
}

fn ids(text: &str) -> BTreeSet<&str> {
    text.split(',').collect()
}

impl Display for RequestMatcher {
    /// Leaves out the data and the headers, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = self.method {
            write!(f, "{} ", method.as_str())?;
        }
        self.target.fmt(f)?;
        match &self.pk {
            PkMatcher::None => {}
            PkMatcher::One(pk) => write!(f, " {pk:?}")?,
            PkMatcher::Any => f.write_str(" (any pk)")?,
        }
        write_path_and_query(f, [&self.related_resource, &self.relationship], &self.query)
    }
}

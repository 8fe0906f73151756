//! What a request asks for: its body and its query, read as a view wants them. What cannot be read is an error that the
//! caller is answered with, in the words of djangorestframework-jsonapi where it has any.

use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::resource::{
    Document, Relationship, RelationshipData, ResourceError, ResourceObject, deserialize,
};
use zc_events_protocol::{Method, Query};

use super::field_errors;
use super::handler_context::Context;
use super::handler_error::HandlerError;

const NO_DATA: &str = "Received document does not contain primary data";
const NO_RESOURCE: &str = "Received data is not a valid JSON:API Resource Identifier Object";
const NO_RESOURCES: &str = "Received data contains one or more malformed JSON:API Resource Identifier Object(s)";
const NO_ID: &str = "The resource identifier object must contain an 'id' member";

impl Context {
    /// The body of a request as a `T`: the attributes of the one resource in it, with `id`, `type` and the ids of
    /// relationships where `T` asks for them; `totalCents` and `total-cents` go to `total_cents`. See
    /// [`Resource`](crate::Resource) for how fields are matched.
    ///
    /// ```
    /// use zc_events::{Context, Document, ResourceObject, ResourceView, Served, ViewResult};
    /// # use zc_events::{EventClient, Method, Service, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("orders").build()?;
    /// # let client = EventClient::new(settings)?;
    ///
    /// #[derive(serde::Deserialize, serde::Serialize)]
    /// struct Order {
    ///     name: String,
    /// }
    ///
    /// struct Orders;
    ///
    /// impl ResourceView for Orders {
    ///     fn create(&self, context: &Context) -> ViewResult {
    ///         let order: Order = context.body()?;
    ///         Ok(Served::created(&Document::one(ResourceObject::new("Order", 1).attributes(&order)?)))
    ///     }
    /// }
    ///
    /// let service = Service::builder(&client).resource("Order", Orders).start()?;
    /// let request = client.remote("Order").method(Method::Post);
    /// let body = serde_json::json!({"data": {"type": "Order", "attributes": {}}});
    /// let refused = request.body(body).fetch_any()?.document()?.errors;
    /// assert_eq!(refused[0].detail.as_deref(), Some("This field is required."));
    /// assert_eq!(refused[0].source, Some(serde_json::json!({"pointer": "/data/attributes/name"})));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// One with status 400 that points to what does not fit, the first where there are several, and holds no value; 409
    /// where the body is of another type than the resource's ([`Context::resource_name`], in whatever case, with
    /// hyphens or in the plural), or a PUT or PATCH names another resource in its body than it is for.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        let document = self.document()?;
        let object = document.object().map_err(|error| {
            HandlerError::malformed(if matches!(error, ResourceError::NoData) { NO_DATA } else { NO_RESOURCE })
        })?;
        self.check_type(object)?;
        self.check_id(object.id.as_deref())?;
        document.attributes().map_err(|error| match error {
            ResourceError::Field(mismatch) => {
                let pointer = format!("/data{}", mismatch.pointer());
                HandlerError::with_errors(
                    400,
                    [field_errors::error(mismatch.is_missing(), mismatch.problem()).pointer(pointer)],
                )
            }
            other => HandlerError::malformed(other.to_string()),
        })
    }

    /// The body of a request as a JSON:API document.
    ///
    /// # Errors
    /// One with status 400 where there is none, or one that is no document.
    pub fn document(&self) -> Result<Document, HandlerError> {
        let value = self.value()?.filter(|value| value.get("data").is_some());
        let value = value.ok_or_else(|| HandlerError::malformed(NO_DATA))?;
        Document::from_value(value).map_err(|error| HandlerError::malformed(error.to_string()))
    }

    /// The body of a request that is no JSON:API, as a `T`.
    ///
    /// # Errors
    /// One with status 400 that points to what does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        deserialize(&self.value()?.unwrap_or_default())
            .map_err(|mismatch| HandlerError::with_errors(400, [field_errors::of_value(&mismatch)]))
    }

    /// The body of a request as it came: JSON, or a text, which some versions of Python send.
    #[must_use]
    pub fn raw_body(&self) -> Option<&Value> {
        self.request.as_ref()?.body.as_ref()
    }

    /// What the body of a change of a relationship names: none, one or many.
    ///
    /// # Errors
    /// One with status 400 where it names nothing, or what it names has no id.
    pub fn linkage(&self) -> Result<RelationshipData, HandlerError> {
        let value = self.value()?.filter(|value| value.get("data").is_some());
        let value = value.ok_or_else(|| HandlerError::malformed(NO_DATA))?;
        let refused = if value["data"].is_array() { NO_RESOURCES } else { NO_RESOURCE };
        let relationship: Result<Relationship, _> = serde_json::from_value(value);
        relationship.map(|relationship| relationship.data).map_err(|_| HandlerError::malformed(refused))
    }

    /// A parameter of the query, decoded; the last, where it stands more than once.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    /// All parameters of the query.
    #[must_use]
    pub fn query_params(&self) -> &Query {
        &self.query
    }

    /// The parameter `filter[name]`.
    #[must_use]
    pub fn filter(&self, name: &str) -> Option<&str> {
        self.query.filter(name)
    }

    /// The keys of those that are asked for: `filter[id__in]`, which is how a list of keys is sent. `None` where there
    /// is no such filter; an empty list asks for none.
    #[must_use]
    pub fn filter_ids(&self) -> Option<Vec<&str>> {
        const IDS: &str = "filter[id__in]";
        self.query.get(IDS).map(|_| self.query.list(IDS))
    }

    /// What is to come along: the paths of `include`, such as `["company", "items.product"]`.
    #[must_use]
    pub fn include(&self) -> Vec<&str> {
        self.query.list("include")
    }

    fn value(&self) -> Result<Option<Value>, HandlerError> {
        let Some(request) = &self.request else { return Ok(None) };
        request
            .document(&self.client.settings().limits)
            .map_err(|error| HandlerError::malformed(format!("JSON parse error - {error}")))
    }

    fn check_id(&self, id: Option<&str>) -> Result<(), HandlerError> {
        let changes = |method| matches!(method, Method::Put | Method::Patch);
        let Some(request) = self.request.as_ref().filter(|request| request.method.is_some_and(changes)) else {
            return Ok(());
        };
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| HandlerError::malformed(NO_ID))?;
        let pk = request.pk.as_ref().map(|pk| pk.as_str().map_or_else(|| pk.to_string(), str::to_owned));
        match pk {
            Some(pk) if id != pk => Err(HandlerError::conflict(format!(
                "The resource object's id ({id}) does not match url's lookup id ({pk})"
            ))),
            _ => Ok(()),
        }
    }

    /// The names under which views are served need not be written as the types are.
    fn check_type(&self, object: &ResourceObject) -> Result<(), HandlerError> {
        // The key of a call is no type.
        let Some(own) = self.resource.as_ref().filter(|_| self.call.is_none()) else { return Ok(()) };
        let plain = |name: &str| {
            let letters = name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase);
            letters.collect::<String>().trim_end_matches('s').to_owned()
        };
        let found = Some(&object.type_).filter(|name| !name.is_empty());
        if found.is_some_and(|found| plain(found) == plain(own)) {
            return Ok(());
        }
        Err(HandlerError::conflict(format!(
            "The resource object's type ({}) is not the type that constitute the collection represented by the endpoint \
             ({own}).",
            found.map_or("None", String::as_str)
        )))
    }
}

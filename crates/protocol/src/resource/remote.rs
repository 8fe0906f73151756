//! Resources without a type of one's own: a look at a document by names, one step at a time, as Python's wrapper gives
//! its attributes. Nothing here fails or recurses: what is not there is nothing.

use std::fmt;
use std::ops;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::Document;
use super::error::ResourceError;
use super::object::ResourceObject;
use super::read;
use super::related::Index;
use super::relationship::{Identifier, Relationship, RelationshipData};
use super::typed::{self, Included};

static NULL: Value = Value::Null;

/// A resource of a document, asked by the names of its attributes and relationships. Made by
/// [`Document::remote_resource`]; clones are cheap.
///
/// Names are those on the wire, or their [snake case](super::snake_case). A name that the resource does not have gives
/// nothing: `None`, an empty list, or a resource that [is not there](RemoteResource::is_there), whose names give
/// nothing in turn. Resources that lead to one another do no harm, since each step is taken when it is asked for.
///
/// What Python's wrapper gives as `order.name`, `order.company.name`, `order.items[0].sku` and
/// `order.company.links.related`:
///
/// ```
/// use serde_json::json;
/// use zc_events_protocol::resource::Document;
///
/// let document = Document::from_value(json!({
///     "data": {
///         "type": "Order",
///         "id": "23131024",
///         "attributes": {"name": "Lunch", "totalCents": 123456},
///         "relationships": {
///             "company": {"data": {"type": "Company", "id": "7"}, "links": {"related": "/orders/23131024/company"}},
///             "items": {"data": [{"type": "Item", "id": "5"}]}
///         }
///     },
///     "included": [
///         {"type": "Company", "id": "7", "attributes": {"name": "Acme"}},
///         {"type": "Item", "id": "5", "attributes": {"sku": "A-1"}}
///     ]
/// }))?;
/// let order = document.remote_resource()?;
/// assert_eq!(order.text("name"), Some("Lunch"));
/// assert_eq!(order["total_cents"], 123456);
/// assert_eq!(order.related("company").text("name"), Some("Acme"));
/// assert_eq!(order.related_list("items")[0].text("sku"), Some("A-1"));
/// assert_eq!(order.related("company").link("related"), Some("/orders/23131024/company"));
/// // What is not there does no harm.
/// assert_eq!(order.related("company").related("owner").text("name"), None);
/// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
/// ```
#[derive(Clone)]
#[doc(alias = "RemoteResourceWrapper")]
#[doc(alias = "RemoteResourceListWrapper")]
pub struct RemoteResource<'a> {
    index: Arc<Index<'a>>,
    what: What<'a>,
    /// The relationship that led here.
    via: Option<&'a Relationship>,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Nothing,
    /// A relationship names it, and the document does not hold it.
    Named(&'a Identifier),
    Whole(&'a ResourceObject),
}

impl<'a> RemoteResource<'a> {
    /// Whether there is such a resource, be it only named.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !matches!(self.what, What::Nothing)
    }

    /// Whether the document holds it, with its attributes. One that a relationship names and `include` did not ask for
    /// has only an id and a type.
    #[must_use]
    pub fn is_included(&self) -> bool {
        self.object().is_some()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        match self.what {
            What::Nothing => None,
            What::Named(identifier) => Some(&identifier.id),
            What::Whole(object) => object.id.as_deref(),
        }
    }

    /// Its type; `None` where the wire has none, too.
    #[must_use]
    pub fn type_(&self) -> Option<&'a str> {
        let type_ = match self.what {
            What::Nothing => "",
            What::Named(identifier) => &identifier.type_,
            What::Whole(object) => &object.type_,
        };
        Some(type_).filter(|type_| !type_.is_empty())
    }

    /// An attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.object()?.attribute(name)
    }

    /// An attribute that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// What a relationship to one leads to. Not there where it leads to none or to many, or has no `data`; its
    /// [links](RemoteResource::link) are there all the same.
    #[must_use]
    pub fn related(&self, name: &str) -> RemoteResource<'a> {
        let via = self.object().and_then(|object| object.relation(name));
        let what = match via.map(|via| &via.data) {
            Some(RelationshipData::One(identifier)) => self.find(identifier),
            _ => What::Nothing,
        };
        RemoteResource { index: Arc::clone(&self.index), what, via }
    }

    /// All that a relationship leads to: none, one or many, those that are only named among them.
    #[must_use]
    pub fn related_list(&self, name: &str) -> Vec<RemoteResource<'a>> {
        let via = self.object().and_then(|object| object.relation(name));
        let identifiers = via.map(|via| via.data.identifiers()).unwrap_or_default();
        let one = |identifier| RemoteResource { index: Arc::clone(&self.index), what: self.find(identifier), via };
        identifiers.iter().map(one).collect()
    }

    /// The address of a link: of the relationship that led here, or else of the resource itself.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&'a str> {
        let own = || read::href(&self.object()?.links, name);
        self.via.and_then(|via| read::href(&via.links, name)).or_else(own)
    }

    /// A member of `meta`.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&'a Value> {
        self.object()?.meta.get(name)
    }

    /// The attributes as a `T`, with what relationships lead to; see [`Resource`](super::Resource) for how fields are
    /// matched.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not fit `T`, [`ResourceError::NoData`] if the document does not
    /// hold it.
    pub fn attributes<T: DeserializeOwned>(&self) -> Result<T, ResourceError> {
        let object = self.object().ok_or(ResourceError::NoData)?;
        typed::from_object(object, Some(&Included::indexed(Arc::clone(&self.index))))
    }

    /// The resource as it stands in the document, where that holds it.
    #[must_use]
    pub fn object(&self) -> Option<&'a ResourceObject> {
        match self.what {
            What::Whole(object) => Some(object),
            What::Nothing | What::Named(_) => None,
        }
    }

    fn find(&self, identifier: &'a Identifier) -> What<'a> {
        self.index.find(&identifier.type_, &identifier.id).map_or(What::Named(identifier), What::Whole)
    }
}

impl ops::Index<&str> for RemoteResource<'_> {
    type Output = Value;

    /// An attribute; null where there is none.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }
}

impl fmt::Debug for RemoteResource<'_> {
    /// As Python's wrapper shows itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Nothing => f.write_str("<nothing>"),
            _ => write!(f, "<{}: {}>", self.type_().unwrap_or_default(), self.id().unwrap_or_default()),
        }
    }
}

impl Document {
    /// The one resource that the document is about, to be asked by names.
    ///
    /// # Errors
    /// As for [`Document::object`].
    #[doc(alias = "wrap_resource_from_response")]
    pub fn remote_resource(&self) -> Result<RemoteResource<'_>, ResourceError> {
        Ok(RemoteResource { index: Arc::new(self.index()), what: What::Whole(self.object()?), via: None })
    }

    /// All resources that the document is about, to be asked by names.
    ///
    /// # Errors
    /// As for [`Document::objects`].
    #[doc(alias = "wrap_resource_from_response")]
    pub fn remote_resources(&self) -> Result<Vec<RemoteResource<'_>>, ResourceError> {
        let index = Arc::new(self.index());
        let one = |object| RemoteResource { index: Arc::clone(&index), what: What::Whole(object), via: None };
        Ok(self.objects()?.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order() -> Document {
        Document::from_value(json!({
            "data": {
                "type": "Order", "id": 1,
                "attributes": {"createdAt": "2016", "note": null},
                "relationships": {
                    "company": {"data": {"type": "Company", "id": "7"}, "links": {"related": {"href": "/c"}}},
                    "orderItems": {"data": [{"type": "Item", "id": "5"}, {"type": "Item", "id": "6"}], "links": {"self": "/i"}},
                    "driver": {"data": null},
                    "linksOnly": {"links": {"related": "/x"}},
                    "null": null
                },
                "links": {"self": "/orders/1"},
                "meta": {"etag": "e"}
            },
            "included": [
                {"type": "Company", "id": "7", "attributes": {"name": "Acme"}, "links": {"self": "/companies/7"},
                    "relationships": {"orders": {"data": [{"type": "Order", "id": "1"}]}}},
                {"type": "Item", "id": "5", "attributes": {"sku": "A"}}
            ]
        }))
        .unwrap()
    }

    #[test]
    fn attributes_are_found_by_either_name_and_null_is_not_nothing() {
        let document = order();
        let order = document.remote_resource().unwrap();
        assert_eq!((order.id(), order.type_()), (Some("1"), Some("Order")));
        assert_eq!((order.text("created_at"), order.text("createdAt")), (Some("2016"), Some("2016")));
        assert_eq!((order.get("note"), order.get("nothing")), (Some(&Value::Null), None));
        assert_eq!((&order["created_at"], &order["nothing"]), (&json!("2016"), &Value::Null));
        assert_eq!((order.link("self"), order.meta("etag")), (Some("/orders/1"), Some(&json!("e"))));
    }

    #[test]
    fn relationships_lead_to_what_is_included_or_named_or_nothing() {
        let document = order();
        let order = document.remote_resource().unwrap();
        let company = order.related("company");
        assert_eq!((company.text("name"), company.link("related")), (Some("Acme"), Some("/c")));
        assert_eq!(company.link("self"), Some("/companies/7"));
        let items = order.related_list("order_items");
        assert_eq!((items.len(), items[0].text("sku"), items[0].link("self")), (2, Some("A"), Some("/i")));
        assert_eq!((items[1].id(), items[1].type_(), items[1].text("sku")), (Some("6"), Some("Item"), None));
        assert!(items[1].is_there() && !items[1].is_included() && items[0].is_included());
        assert_eq!(order.related_list("company").len(), 1);
        assert_eq!(order.related("links_only").link("related"), Some("/x"));
        for name in ["driver", "links_only", "null", "unheard_of", "order_items"] {
            let nothing = order.related(name);
            assert!(!nothing.is_there() && nothing.id().is_none() && nothing.get("x").is_none(), "{name}");
            assert!(!nothing.related("company").is_there() && nothing.related_list("items").is_empty(), "{name}");
            assert_eq!(nothing["x"], Value::Null, "{name}");
        }
    }

    #[test]
    fn resources_that_lead_to_one_another_are_followed_as_far_as_one_likes() {
        let document = order();
        let mut order = document.remote_resource().unwrap();
        for _ in 0..1000 {
            order = order.related("company").related_list("orders").swap_remove(0);
        }
        assert_eq!(order.text("created_at"), Some("2016"));
        assert_eq!(
            format!("{order:?} {:?} {:?}", order.related("company"), order.related("driver")),
            "<Order: 1> <Company: 7> <nothing>"
        );
    }

    #[test]
    fn what_is_found_lives_as_long_as_the_document() {
        let document = order();
        let name = document.remote_resource().unwrap().related("company").text("name");
        assert_eq!(name, Some("Acme"));
    }

    #[test]
    fn a_list_is_a_list_and_a_document_without_data_an_error() {
        let list = Document::from_value(json!({"data": [{"type": "Order", "id": "1"}, {"type": "Order", "id": "2"}]}));
        let list = list.unwrap();
        assert_eq!(list.remote_resources().unwrap()[1].id(), Some("2"));
        assert_eq!(list.remote_resource().unwrap_err(), ResourceError::NotOne { found: 2 });
        assert_eq!(Document::default().remote_resources().unwrap_err(), ResourceError::NoData);
        assert_eq!(order().remote_resources().unwrap().len(), 1);
    }

    #[test]
    fn the_attributes_fit_a_type() {
        #[derive(serde::Deserialize)]
        struct Order {
            id: u64,
            company: Company,
        }
        #[derive(serde::Deserialize)]
        struct Company {
            name: String,
        }
        let document = order();
        let order = document.remote_resource().unwrap();
        let typed: Order = order.attributes().unwrap();
        assert_eq!((typed.id, typed.company.name.as_str()), (1, "Acme"));
        assert!(order.related("driver").attributes::<Value>().is_err());
    }
}

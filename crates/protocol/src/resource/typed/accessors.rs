//! Methods of documents and resource objects that deserialize into types of the user.

use serde::de::DeserializeOwned;

use super::included::Included;
use super::resource::{Resource, from_object};
use crate::resource::document::Document;
use crate::resource::error::ResourceError;
use crate::resource::object::ResourceObject;

impl Document {
    /// The one resource of the primary data, with its attributes as a `T`. See [`Resource`] for how fields are matched.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not match `T`; [`ResourceError::Errors`],
    /// [`ResourceError::NoData`], [`ResourceError::NullData`] or [`ResourceError::NotOne`] if there is not exactly one.
    pub fn resource<T: DeserializeOwned>(&self) -> Result<Resource<T>, ResourceError> {
        Resource::read(self.object()?, Some(&Included::of(self)))
    }

    /// All resources of the primary data, with their attributes as a `T`. One resource becomes a list of one.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if a resource does not match `T`; [`ResourceError::Errors`],
    /// [`ResourceError::NoData`] or [`ResourceError::NullData`] if there is no data. An empty list is not an error.
    ///
    /// ```
    /// use serde_json::{Value, json};
    /// use zc_events_protocol::resource::Document;
    /// let items = Document::from_value(json!({"data": [{"type": "Item", "id": "5"}]}))?.resources::<Value>()?;
    /// assert_eq!(items[0].id, "5");
    /// # Ok::<(), zc_events_protocol::resource::ResourceError>(())
    /// ```
    pub fn resources<T: DeserializeOwned>(&self) -> Result<Vec<Resource<T>>, ResourceError> {
        let included = Included::of(self);
        self.objects()?.iter().map(|object| Resource::read(object, Some(&included))).collect()
    }

    /// As [`resource`](Self::resource), but only the `T`.
    ///
    /// # Errors
    /// As [`resource`](Self::resource).
    pub fn attributes<T: DeserializeOwned>(&self) -> Result<T, ResourceError> {
        from_object(self.object()?, Some(&Included::of(self)))
    }

    /// As [`resources`](Self::resources), but only each `T`.
    ///
    /// # Errors
    /// As [`resources`](Self::resources).
    pub fn attributes_list<T: DeserializeOwned>(&self) -> Result<Vec<T>, ResourceError> {
        let included = Included::of(self);
        self.objects()?.iter().map(|object| from_object(object, Some(&included))).collect()
    }
}

impl ResourceObject {
    /// The resource with its attributes as a `T`. See [`Resource`] for how fields are matched. Included resources are
    /// only available from the [`Document`].
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not match `T`.
    pub fn resource<T: DeserializeOwned>(&self) -> Result<Resource<T>, ResourceError> {
        Resource::read(self, None)
    }

    /// The attributes as a `T`, with `id`, `type` and identifiers of relationships if `T` has such fields. See
    /// [`Resource`] for how fields are matched.
    ///
    /// # Errors
    /// [`ResourceError::Field`] if the resource does not match `T`.
    pub fn to_attributes<T: DeserializeOwned>(&self) -> Result<T, ResourceError> {
        from_object(self, None)
    }
}

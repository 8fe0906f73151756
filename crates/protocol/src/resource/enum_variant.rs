//! Deserialization of a variant of an enum.

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, Unexpected, VariantAccess, Visitor,
};

use super::mismatch::Mismatch;

/// A variant of an enum: its name, and its content if the value is an object.
pub(super) struct EnumVariant<'de, D> {
    pub(super) name: &'de str,
    pub(super) content: Option<D>,
}

impl<'de, D: Deserializer<'de, Error = Mismatch>> EnumAccess<'de> for EnumVariant<'de, D> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mismatch> {
        let name: StrDeserializer<'de, Mismatch> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, D: Deserializer<'de, Error = Mismatch>> VariantAccess<'de> for EnumVariant<'de, D> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        self.content.map_or(Ok(()), Deserialize::deserialize)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        match self.content {
            Some(content) => seed.deserialize(content),
            None => Err(Mismatch::invalid_type(Unexpected::Str(self.name), &"an object with the variant's content")),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        match self.content {
            Some(content) => content.deserialize_seq(visitor),
            None => Err(Mismatch::invalid_type(Unexpected::Str(self.name), &visitor)),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.content {
            Some(content) => content.deserialize_struct("", fields, visitor),
            None => Err(Mismatch::invalid_type(Unexpected::Str(self.name), &visitor)),
        }
    }
}

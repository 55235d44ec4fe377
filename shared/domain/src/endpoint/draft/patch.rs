//! What a change says of one field.

use serde::{Deserialize, Deserializer};

use crate::Invalid;

/// A field that a change leaves alone, takes away (`null`), or sets.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Patch<T> {
    /// Not mentioned.
    #[default]
    Keep,
    /// `null`: back to the default.
    Clear,
    /// A new value.
    Set(T),
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(shapes: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<T>::json_schema(shapes)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Patch<T> {
    pub(super) fn apply<U>(
        self,
        field: &mut Option<U>,
        convert: impl FnOnce(T) -> Result<U, Invalid>,
    ) -> Result<(), Invalid> {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(convert(value)?),
        }
        Ok(())
    }
}

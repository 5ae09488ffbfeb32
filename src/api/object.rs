//! Documents that must be objects. A reader that serde derives takes a list for an object, its values in the order of the
//! fields: `[null, null]` would be preferences, and `["+33612345678"]` an opt-out.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// What is read from an object, and from nothing else.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }
        from.deserialize_map(Fields(PhantomData))
    }
}

/// An object or nothing, for a field of something larger.
pub(super) fn optional<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::<Object<T>>::deserialize(from).map(|found| found.map(|Object(inner)| inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Two {
        one: Option<u8>,
        other: Option<String>,
    }

    #[test]
    fn a_list_is_no_object() {
        let read = |text: &str| serde_json::from_str::<Object<Two>>(text).map(|Object(two)| (two.one, two.other));
        assert!(serde_json::from_str::<Two>("[1,null]").is_ok_and(|two| two.one == Some(1) && two.other.is_none()), "what serde does");
        for text in ["[1,null]", "[null,null]", "[]", "null", "1", "\"one\"", r#"{"one":1,"one":2}"#, r#"{"three":1}"#, "{"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read(r#"{"other":"x","one":1}"#).expect("an object"), (Some(1), Some("x".into())));
        assert_eq!(read("{}").expect("an object"), (None, None));
    }
}

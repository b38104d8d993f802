//! The form of a document: the data model of JSON without floats and without null, which nobody could tell from absence.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A value of a form. Numbers are whole; amounts and decimals are texts, whose kind the form's schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormValue {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<FormValue>),
    /// Named values.
    Map(BTreeMap<String, FormValue>),
}

/// Named values: the form of a document.
pub type Form = BTreeMap<String, FormValue>;

/// The most bytes of a form's deterministic CBOR.
pub const MAX_FORM: usize = 64 << 10;

impl FormValue {
    /// Each text in it, with the names and places that lead to it, as a JSON Pointer (RFC 6901).
    pub fn texts(&self, at: &str, give: &mut impl FnMut(&str, &str)) {
        match self {
            Self::Bool(_) | Self::Int(_) => {}
            Self::Text(text) => give(at, text),
            Self::List(list) => {
                for (place, value) in list.iter().enumerate() {
                    value.texts(&format!("{at}/{place}"), give);
                }
            }
            Self::Map(map) => {
                for (name, value) in map {
                    let step = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    // A name is read, too.
                    give(&step, name);
                    value.texts(&step, give);
                }
            }
        }
    }
}

impl Serialize for FormValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for FormValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> de::Visitor<'de> for Any {
            type Value = FormValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a truth value, a whole number, a text, a list or named values")
            }
            fn visit_bool<E>(self, yes: bool) -> Result<FormValue, E> {
                Ok(FormValue::Bool(yes))
            }
            fn visit_i64<E>(self, n: i64) -> Result<FormValue, E> {
                Ok(FormValue::Int(n))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<FormValue, E> {
                i64::try_from(n).map(FormValue::Int).map_err(|_| E::custom("a number is too large"))
            }
            fn visit_str<E>(self, text: &str) -> Result<FormValue, E> {
                Ok(FormValue::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<FormValue, E> {
                Ok(FormValue::Text(text))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<FormValue, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(FormValue::List(list))
            }
            fn visit_map<A: de::MapAccess<'de>>(
                self,
                mut access: A,
            ) -> Result<FormValue, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((name, value)) = access.next_entry()? {
                    if map.insert(name, value).is_some() {
                        return Err(de::Error::custom("a name stands twice"));
                    }
                }
                Ok(FormValue::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use chancery_crypto::cbor;
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = FormValue> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(FormValue::Bool),
            any::<i64>().prop_map(FormValue::Int),
            "\\PC{0,12}".prop_map(FormValue::Text),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(FormValue::List),
                prop::collection::btree_map("[a-z]{1,6}", inner, 0..6).prop_map(FormValue::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_form_is_read_as_it_was_written_and_has_one_encoding(value in value()) {
            let bytes = cbor::encode(&value).expect("encodes");
            let read: FormValue = cbor::decode(&bytes).expect("reads");
            prop_assert_eq!(&read, &value);
            prop_assert_eq!(cbor::encode(&read).expect("encodes"), bytes);
        }
    }

    #[test]
    fn what_has_no_one_meaning_is_no_form() {
        for bad in
            ["f6", "f7", "fb3ff199999999999a", "f93c00", "1bffffffffffffffff", "4161", "a16161f6"]
        {
            let bytes = hex::decode(bad).expect("hex");
            assert!(cbor::decode::<FormValue>(&bytes).is_err(), "{bad}");
        }
    }
}

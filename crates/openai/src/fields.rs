//! Requests, field by field.
//!
//! A request is read as far as it is asked about, so that an error names the parameter, and so that what nobody asks
//! about takes no more memory than its text: a value of JSON may be a hundred times as large in memory as it is written.

use std::fmt;
use std::marker::PhantomData;

use lull_types::infer::Token;
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::ApiError;

/// Fields of one object. OpenAI's largest request has about forty, and clients send some of their own.
const FIELDS_MAX: usize = 256;

/// An object of a request.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// Where it is, such as `messages[0]`; empty for the request itself.
    at: String,
    fields: Vec<(String, &'a RawValue)>,
}

/// A value that is not null.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    /// Where it is, as errors name it.
    at: String,
    raw: &'a RawValue,
}

/// What a value is, which its first character tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Array,
    Object,
    Flag,
    Number,
}

impl<'a> Fields<'a> {
    /// Reads a request.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, ApiError> {
        let malformed = |why: &dyn fmt::Display| {
            ApiError::new(
                "request_malformed",
                format!("the request is not a JSON object that can be read: {why}"),
            )
        };
        let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
        let Object(fields) = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        Ok(Self { at: String::new(), fields })
    }

    /// The field, if it is there and not null, which clients send for what they leave to the server.
    pub(crate) fn get(&self, name: &str) -> Option<Field<'a>> {
        // Of several with one name the last one counts, as in most readers of JSON.
        let (_, raw) = self.fields.iter().rev().find(|(field, _)| field == name)?;
        (raw.get() != "null").then(|| Field { at: self.path(name), raw })
    }

    /// The field, which must be there.
    pub(crate) fn need(&self, name: &str) -> Result<Field<'a>, ApiError> {
        self.get(name).ok_or_else(|| {
            let at = self.path(name);
            let message = format!("the parameter “{at}” is missing and cannot be left out");
            ApiError::param(at, "missing_required_parameter", message)
        })
    }

    fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }
}

impl<'a> Field<'a> {
    pub(crate) fn kind(&self) -> Kind {
        match self.raw.get().as_bytes().first() {
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(b't' | b'f') => Kind::Flag,
            _ => Kind::Number,
        }
    }

    /// The value as it is written.
    pub(crate) fn raw(&self) -> &'a str {
        self.raw.get()
    }

    /// An error about this field.
    pub(crate) fn refuse(&self, code: &'static str, message: impl fmt::Display) -> ApiError {
        ApiError::param(self.at.clone(), code, format!("“{}” {message}", self.at))
    }

    pub(crate) fn text(&self) -> Result<String, ApiError> {
        self.read("a string")
    }

    pub(crate) fn flag(&self) -> Result<bool, ApiError> {
        self.read("a boolean")
    }

    /// A number from `min` to `max`.
    pub(crate) fn number(&self, min: f32, max: f32) -> Result<f32, ApiError> {
        let number: f64 = self.read("a number")?;
        if !(f64::from(min)..=f64::from(max)).contains(&number) {
            return Err(self.refuse("invalid_value", format_args!("must be from {min} to {max}")));
        }
        // What is within bounds that an f32 can hold is at most rounded.
        Ok(number as f32)
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn integer(&self, min: i64, max: i64) -> Result<i64, ApiError> {
        let integer = self.read("a whole number")?;
        if !(min..=max).contains(&integer) {
            return Err(self.refuse("invalid_value", format_args!("must be from {min} to {max}")));
        }
        Ok(integer)
    }

    /// A count from `min` to `max`.
    pub(crate) fn count(&self, min: u32, max: u32) -> Result<u32, ApiError> {
        let count = self.integer(i64::from(min), i64::from(max))?;
        u32::try_from(count)
            .map_err(|_| self.refuse("invalid_value", format_args!("must be from {min} to {max}")))
    }

    /// An object.
    pub(crate) fn object(&self) -> Result<Fields<'a>, ApiError> {
        let Object(fields) = serde_json::from_str(self.raw.get()).map_err(|_| self.is_not("an object"))?;
        Ok(Fields { at: self.at.clone(), fields })
    }

    /// Elements of an array; null ones, too.
    pub(crate) fn elements(&self, max: usize) -> Result<Vec<Field<'a>>, ApiError> {
        let raws: Vec<&'a RawValue> = self.array(max, "an array")?;
        let fields = raws.into_iter().enumerate();
        Ok(fields.map(|(index, raw)| Field { at: format!("{}[{index}]", self.at), raw }).collect())
    }

    /// Tokens, at least one.
    pub(crate) fn tokens(&self, max: usize) -> Result<Vec<Token>, ApiError> {
        let tokens: Vec<Token> = self.array(max, "an array of tokens, which are whole numbers")?;
        if tokens.is_empty() {
            return Err(self.refuse("invalid_value", "has no tokens; give at least one"));
        }
        Ok(tokens)
    }

    fn array<T: Deserialize<'a>>(&self, max: usize, what: &str) -> Result<Vec<T>, ApiError> {
        if self.kind() != Kind::Array {
            return Err(self.is_not(what));
        }
        let mut overrun = false;
        let mut reader = serde_json::Deserializer::from_str(self.raw.get());
        let read = reader.deserialize_seq(AtMost { max, overrun: &mut overrun, of: PhantomData });
        read.map_err(|_| {
            if overrun {
                self.refuse("invalid_value", format_args!("has too many elements; {max} are the most"))
            } else {
                self.is_not(what)
            }
        })
    }

    fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, ApiError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.is_not(what))
    }

    fn is_not(&self, what: &str) -> ApiError {
        let is = match self.kind() {
            Kind::Text => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
            Kind::Flag => "a boolean",
            Kind::Number if self.raw.get() == "null" => "null",
            Kind::Number => "a number",
        };
        self.refuse("invalid_type", format_args!("must be {what}, and what came ({is}) is none"))
    }
}

/// Names and values of an object.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    if fields.len() == FIELDS_MAX {
                        return Err(A::Error::custom("an object has too many fields"));
                    }
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads an array of at most so many elements, and of a longer one no more than that.
struct AtMost<'m, T> {
    max: usize,
    overrun: &'m mut bool,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtMost<'_, T> {
    type Value = Vec<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            if elements.len() == self.max {
                *self.overrun = true;
                return Err(A::Error::custom("too many elements"));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        Fields::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn requests_are_objects() {
        for body in [&b""[..], b"[]", b"1", b"{", b"{}}", b"\xff", b"{\"a\":\xff}", b"{\"a\":}"] {
            let error = Fields::parse(body).unwrap_err();
            assert_eq!((error.status.as_u16(), &*error.code), (400, "request_malformed"), "{body:?}");
        }
        let many: Vec<String> = (0..=FIELDS_MAX).map(|number| format!("\"{number}\":0")).collect();
        assert!(Fields::parse(format!("{{{}}}", many.join(",")).as_bytes()).is_err());
        assert!(Fields::parse(format!("{{{}}}", many[1..].join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn null_is_as_good_as_absent_and_the_last_one_counts() {
        let fields = fields(r#"{"a": null, "b": 1, "b": 2, "c" : "\u0041"}"#);
        assert!(fields.get("a").is_none() && fields.get("z").is_none());
        assert_eq!(fields.get("b").unwrap().integer(0, 9), Ok(2));
        assert_eq!(fields.get("c").unwrap().text().as_deref(), Ok("A"));
        assert_eq!(fields.need("a").unwrap_err().param.as_deref(), Some("a"));
    }

    #[test]
    fn types_and_bounds_are_told_with_the_parameter() {
        let refused = |json: &str, read: fn(Field<'_>) -> Option<ApiError>| {
            let json = format!("{{\"x\": {json}}}");
            let error = read(fields(&json).get("x").unwrap()).unwrap();
            assert_eq!(error.param.as_deref(), Some("x"));
            error.code.into_owned()
        };
        assert_eq!(refused("1", |it| it.text().err()), "invalid_type");
        assert_eq!(refused(r#""\ud800""#, |it| it.text().err()), "invalid_type");
        assert_eq!(refused("\"1\"", |it| it.number(0.0, 1.0).err()), "invalid_type");
        assert_eq!(refused("1e999", |it| it.number(0.0, 1.0).err()), "invalid_type");
        assert_eq!(refused("1.0001", |it| it.number(0.0, 1.0).err()), "invalid_value");
        assert_eq!(refused("1.5", |it| it.integer(0, 9).err()), "invalid_type");
        assert_eq!(refused("10", |it| it.integer(0, 9).err()), "invalid_value");
        assert_eq!(refused("-1", |it| it.count(0, 9).err()), "invalid_value");
        assert_eq!(refused("1", |it| it.flag().err()), "invalid_type");
        assert_eq!(refused("[]", |it| it.object().err()), "invalid_type");
        assert_eq!(refused("{}", |it| it.elements(9).err()), "invalid_type");
        assert_eq!(refused("[1,2]", |it| it.elements(1).err()), "invalid_value");
        assert_eq!(refused("[-1]", |it| it.tokens(9).err()), "invalid_type");
        assert_eq!(refused("[]", |it| it.tokens(9).err()), "invalid_value");
    }

    #[test]
    fn what_is_inside_is_named_from_outside() {
        let fields = fields(r#"{"messages": [{}, {"content": 1}]}"#);
        let message = fields.get("messages").unwrap().elements(2).unwrap()[1].object().unwrap();
        let error = message.get("content").unwrap().text().unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[1].content"));
    }
}

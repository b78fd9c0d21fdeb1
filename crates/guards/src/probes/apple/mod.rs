//! What macOS tells, without macOS under it, so that what is made of it is tested on every system: lists and tables, as
//! values of no system's own ([`Value`]), and what they say of windows, power, programs, and of who uses the GPU.

pub(super) mod gpu;
pub(super) mod power;
pub(super) mod programs;
pub(super) mod windows;

use std::collections::BTreeMap;

/// Something that the system tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Truth(bool),
    Whole(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Value>),
    Table(BTreeMap<String, Value>),
    /// Of a kind that says nothing here.
    Other,
}

impl Value {
    /// What a table holds under a name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Table(table) = self else { return None };
        table.get(name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let Self::Text(text) = self.get(name)? else { return None };
        Some(text)
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        if let Self::Whole(number) = value {
            return Some(*number as f64);
        }
        let Self::Fraction(number) = value else { return None };
        Some(*number)
    }

    /// A count, which is never less than nothing.
    pub fn count(&self, name: &str) -> Option<u64> {
        let Self::Whole(number) = self.get(name)? else { return None };
        u64::try_from(*number).ok()
    }

    pub fn truth(&self, name: &str) -> Option<bool> {
        let Self::Truth(truth) = self.get(name)? else { return None };
        Some(*truth)
    }

    /// What a list holds; nothing where it is none.
    pub fn items(&self) -> &[Self] {
        let Self::List(items) = self else { return &[] };
        items
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn table(fields: &[(&str, Value)]) -> Value {
        Value::Table(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    pub fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn fields_of_another_kind_are_none() {
        let all = table(&[
            ("truth", Value::Truth(true)),
            ("whole", Value::Whole(-7)),
            ("fraction", Value::Fraction(0.5)),
            ("text", text("a")),
            ("list", Value::List(vec![Value::Other])),
        ]);
        for name in ["truth", "whole", "fraction", "text", "list", "none"] {
            assert_eq!(all.truth(name), (name == "truth").then_some(true));
            assert_eq!(all.text(name), (name == "text").then_some("a"));
            assert_eq!(all.get(name).map_or(0, |value| value.items().len()), usize::from(name == "list"));
            assert_eq!(all.count(name), None);
            assert_eq!(all.get(name).and_then(|value| value.get("truth")), None);
        }
        assert_eq!(
            (all.number("whole"), all.number("fraction"), all.number("text")),
            (Some(-7.0), Some(0.5), None)
        );
        assert_eq!(table(&[("count", Value::Whole(3))]).count("count"), Some(3));
    }
}

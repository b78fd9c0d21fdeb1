//! What Core Foundation's lists and tables hold, as values of no system's own.

use objc2_core_foundation::{CFArray, CFBoolean, CFDictionary, CFNumber, CFString, CFType};

use crate::probes::apple::Value;

/// What is nested deeper is left out; what is looked for is two lists deep.
const DEPTH_MAX: usize = 8;

/// What something holds.
pub(super) fn value(of: &CFType) -> Value {
    within(of, DEPTH_MAX)
}

fn within(of: &CFType, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Other };
    if let Some(text) = of.downcast_ref::<CFString>() {
        Value::Text(text.to_string())
    } else if let Some(truth) = of.downcast_ref::<CFBoolean>() {
        Value::Truth(truth.as_bool())
    } else if let Some(number) = of.downcast_ref::<CFNumber>() {
        let fraction = || number.as_f64().map_or(Value::Other, Value::Fraction);
        number.as_i64().map_or_else(fraction, Value::Whole)
    } else if let Some(list) = of.downcast_ref::<CFArray>() {
        #[allow(unsafe_code, reason = "a list does not say of what it is one")]
        // SAFETY: what the system's property lists hold are Core Foundation's own objects, all of which are of this type.
        let list = unsafe { list.cast_unchecked::<CFType>() };
        Value::List(list.iter().map(|item| within(&item, depth)).collect())
    } else if let Some(table) = of.downcast_ref::<CFDictionary>() {
        #[allow(unsafe_code, reason = "a table does not say of what it is one")]
        // SAFETY: as above.
        let table = unsafe { table.cast_unchecked::<CFType, CFType>() };
        let (names, values) = table.to_vecs();
        let fields = names.iter().zip(&values).filter_map(|(name, value)| {
            Some((name.downcast_ref::<CFString>()?.to_string(), within(value, depth)))
        });
        Value::Table(fields.collect())
    } else {
        Value::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_are_what_they_hold() {
        assert_eq!(value(&CFString::from_static_str("a")), Value::Text("a".to_owned()));
        assert_eq!(value(&CFNumber::new_i64(7)), Value::Whole(7));
        assert_eq!(value(&CFNumber::new_f64(0.5)), Value::Fraction(0.5));
        assert_eq!(value(CFBoolean::new(true)), Value::Truth(true));
        let one = CFNumber::new_i64(1);
        let list = CFArray::from_retained_objects(&[one]);
        assert_eq!(value(&list), Value::List(vec![Value::Whole(1)]));
    }
}

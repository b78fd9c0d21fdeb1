//! Texts and tokens, one or several: the prompts of completions and the inputs of embeddings.

use lull_types::infer::limits;

use crate::backend::Passage;
use crate::error::ApiError;
use crate::fields::{Field, Kind};
use crate::settings::{BYTES_PER_TOKEN, TEXT_BYTES_MAX};

/// Reads a string, an array of strings, an array of tokens, or an array of arrays of tokens: `max` passages at most.
/// OpenAI refuses empty ones too, of which nothing can be made.
pub(crate) fn parse(field: &Field<'_>, max: usize) -> Result<Vec<Passage>, ApiError> {
    let passages = match field.kind() {
        Kind::Text => vec![text(field)?],
        Kind::Array if starts_with_number(field) => vec![tokens(field)?],
        _ => {
            let elements = field.elements(max)?;
            elements
                .iter()
                .map(|element| match element.kind() {
                    Kind::Array => tokens(element),
                    _ => text(element),
                })
                .collect::<Result<_, _>>()?
        }
    };
    if passages.is_empty() {
        return Err(field.refuse("invalid_value", "is empty; give at least one text"));
    }
    if passages.iter().map(text_bytes).sum::<usize>() > TEXT_BYTES_MAX {
        return Err(too_long(field));
    }
    Ok(passages)
}

/// More text than any model reads.
pub(crate) fn too_long(field: &Field<'_>) -> ApiError {
    let message = format_args!("has more than {TEXT_BYTES_MAX} bytes of text, which no context has room for");
    field.refuse("context_length_exceeded", message)
}

/// Bytes of text, or as many as tokens stand for.
fn text_bytes(passage: &Passage) -> usize {
    match passage {
        Passage::Text(text) => text.len(),
        Passage::Tokens(tokens) => tokens.len() * BYTES_PER_TOKEN,
    }
}

fn text(field: &Field<'_>) -> Result<Passage, ApiError> {
    let text = field.text()?;
    if text.is_empty() {
        return Err(field.refuse("invalid_value", "is an empty string"));
    }
    Ok(Passage::Text(text))
}

fn tokens(field: &Field<'_>) -> Result<Passage, ApiError> {
    field.tokens(limits::CONTEXT_TOKENS_MAX as usize).map(Passage::Tokens)
}

/// Whether it is an array whose first element is a number: then all are tokens.
fn starts_with_number(array: &Field<'_>) -> bool {
    let inside = array.raw().strip_prefix('[').unwrap_or_default().trim_start();
    inside.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Fields;

    fn read(json: &str) -> Result<Vec<Passage>, ApiError> {
        let json = format!("{{\"input\": {json}}}");
        let fields = Fields::parse(json.as_bytes())?;
        parse(&fields.need("input")?, 3)
    }

    #[test]
    fn passages_come_in_four_shapes() {
        let text = |text: &str| Passage::Text(text.to_owned());
        assert_eq!(read(r#""one""#), Ok(vec![text("one")]));
        assert_eq!(read(r#"["one", "two"]"#), Ok(vec![text("one"), text("two")]));
        assert_eq!(read("[ 1,2,3,4]"), Ok(vec![Passage::Tokens(vec![1, 2, 3, 4])]));
        assert_eq!(read("[ [1], [2, 3] ]"), Ok(vec![Passage::Tokens(vec![1]), Passage::Tokens(vec![2, 3])]));
        assert_eq!(read(r#"["one", [2]]"#), Ok(vec![text("one"), Passage::Tokens(vec![2])]));
    }

    #[test]
    fn what_is_no_passage_is_refused() {
        let table = [
            (r#""""#, "input"),
            ("[]", "input"),
            (r#"[""]"#, "input[0]"),
            (r#"["a", ""]"#, "input[1]"),
            (r#"["a", 1]"#, "input[1]"),
            (r#"[1, "a"]"#, "input"),
            ("[-1]", "input"),
            ("[4294967296]", "input"),
            ("[[]]", "input[0]"),
            ("[[[1]]]", "input[0]"),
            ("[null]", "input[0]"),
            ("{}", "input"),
            ("1", "input"),
            (r#"["a", "b", "c", "d"]"#, "input"),
        ];
        for (json, param) in table {
            let error = read(json).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{json}");
        }
        assert_eq!(read("null").unwrap_err().code, "missing_required_parameter");
        let half = "x".repeat(TEXT_BYTES_MAX / 2 + 1);
        assert!(read(&format!(r#"["{half}"]"#)).is_ok());
        assert_eq!(read(&format!(r#"["{half}", "{half}"]"#)).unwrap_err().code, "context_length_exceeded");
    }
}

//! What is asked, read and bounded.

use std::str::FromStr;

use data_encoding::BASE64;
use serde_json::Value;

use super::Refusal;
use super::stated::Encoding;
use crate::chain::svm::machine::{TRANSACTION_BYTES_MAX, View};
use crate::chain::{Address, Signature};

/// The parameters of one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<'a>(pub(super) &'a [Value]);

fn parse<T: FromStr>(text: Option<&Value>, what: &str) -> Result<T, Refusal> {
    // Longer than any signature: it is not even looked at.
    let text = text.and_then(Value::as_str).filter(|text| text.len() <= 100);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::invalid(format!("{what} is missing or none")))
}

impl Params<'_> {
    pub(super) fn address(self, at: usize) -> Result<Address, Refusal> {
        parse(self.0.get(at), "an address")
    }

    pub(super) fn signature(self, at: usize) -> Result<Signature, Refusal> {
        parse(self.0.get(at), "a signature")
    }

    pub(super) fn signatures(self, most: usize) -> Result<Vec<Signature>, Refusal> {
        let all = self.0.first().and_then(Value::as_array).filter(|all| all.len() <= most);
        let all =
            all.ok_or_else(|| Refusal::invalid(format!("a list of at most {most} signatures is missing")))?;
        all.iter().map(|text| parse(Some(text), "a signature")).collect()
    }

    pub(super) fn number(self, at: usize, most: u64) -> Result<u64, Refusal> {
        let number = self.0.get(at).and_then(Value::as_u64).filter(|number| *number <= most);
        number.ok_or_else(|| Refusal::invalid(format!("a number up to {most} is missing")))
    }

    /// A field of the options, which may be left out.
    fn option(self, at: usize, name: &str) -> Result<Option<&'static str>, Refusal> {
        // Every option that is read here is one of few words.
        const WORDS: [&str; 7] =
            ["processed", "confirmed", "finalized", "base58", "base64", "json", "jsonParsed"];
        match self.field(at, name)? {
            None => Ok(None),
            Some(value) => {
                let word = WORDS.into_iter().find(|word| value.as_str() == Some(*word));
                word.map(Some)
                    .ok_or_else(|| Refusal::invalid(format!("{name} has a value that is not known here")))
            }
        }
    }

    fn field(&self, at: usize, name: &str) -> Result<Option<&Value>, Refusal> {
        match self.0.get(at) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(options)) => Ok(options.get(name).filter(|value| !value.is_null())),
            Some(_) => Err(Refusal::invalid("options are an object")),
        }
    }

    /// Nothing forks here: what was taken is confirmed.
    pub(super) fn view(self, at: usize) -> Result<View, Refusal> {
        match self.option(at, "commitment")? {
            None | Some("finalized") => Ok(View::Final),
            Some("processed" | "confirmed") => Ok(View::Newest),
            Some(_) => Err(Refusal::invalid("a commitment is processed, confirmed or finalized")),
        }
    }

    /// A form that is asked for and not known here is answered in base 64, as the interface allows.
    pub(super) fn account_encoding(self, at: usize) -> Result<Encoding, Refusal> {
        match self.option(at, "encoding")? {
            None | Some("base58") => Ok(Encoding::Base58),
            Some(_) => Ok(Encoding::Base64),
        }
    }

    pub(super) fn transaction_encoding(self, at: usize) -> Result<Encoding, Refusal> {
        // Instead of the options the encoding itself, as it once was.
        if self.0.get(at).and_then(Value::as_str) == Some("json") {
            return Ok(Encoding::Json);
        }
        match self.option(at, "encoding")? {
            None | Some("json") => Ok(Encoding::Json),
            Some("base58") => Ok(Encoding::Base58),
            Some("base64") => Ok(Encoding::Base64),
            Some(_) => {
                Err(Refusal::invalid("a practice ledger states transactions as json, base58 or base64"))
            }
        }
    }

    pub(super) fn named_signature(self, at: usize, name: &str) -> Result<Option<Signature>, Refusal> {
        self.field(at, name)?.map(|value| parse(Some(value), name)).transpose()
    }

    pub(super) fn limit(self, at: usize, most: u64) -> Result<u64, Refusal> {
        let stated = self.field(at, "limit")?;
        let limit =
            stated.map_or(Some(most), |limit| limit.as_u64().filter(|limit| (1..=most).contains(limit)));
        limit.ok_or_else(|| Refusal::invalid(format!("a limit is from 1 to {most}")))
    }

    /// The bytes of a transaction to send; in base 58 if nothing is said, as on Solana.
    pub(super) fn transaction(self) -> Result<Vec<u8>, Refusal> {
        let unreadable = || Refusal::invalid("a transaction in base58 or base64 is missing or too long");
        // Base 64 has four characters for three bytes, base 58 at most four for three.
        let text =
            self.0.first().and_then(Value::as_str).filter(|text| text.len() <= 2 * TRANSACTION_BYTES_MAX);
        let text = text.ok_or_else(unreadable)?;
        match self.option(1, "encoding")? {
            None | Some("base58") => bs58::decode(text).into_vec().map_err(|_| unreadable()),
            Some("base64") => BASE64.decode(text.as_bytes()).map_err(|_| unreadable()),
            Some(_) => Err(unreadable()),
        }
    }
}

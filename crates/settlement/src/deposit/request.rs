//! Transfer requests of Solana Pay: `solana:<recipient>?amount=…&spl-token=…&reference=…&label=…&message=…`, after
//! its specification (docs.solanapay.com/spec).

use std::fmt;
use std::str::FromStr;

use lull_types::{BaseUnits, Coded, WalletAddress};

use crate::chain::Address;

/// Decimals of the tokens that are paid with: [`BaseUnits`] are millionths.
const DECIMALS: usize = 6;

/// A request for tokens, which a wallet shows and pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who is paid; the tokens go to this wallet's associated token account.
    pub recipient: WalletAddress,
    /// The token.
    pub mint: Address,
    /// How much; the payer chooses if nothing is said.
    pub amount: Option<BaseUnits>,
    /// The reference that the payment is found by.
    pub reference: Address,
    /// Who asks, for people.
    pub label: Option<String>,
    /// What it is for, for people.
    pub message: Option<String>,
}

/// A text is not a request that this program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is not `solana:` with a wallet's address.
    #[error("this is not a Solana Pay request to a wallet")]
    NotARequest,
    /// A field is missing, repeated or cannot be read.
    #[error("the field `{0}` of this Solana Pay request is missing, repeated or cannot be read")]
    Field(&'static str),
}

impl Coded for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotARequest => "deposit_not_a_request",
            Self::Field(_) => "deposit_field_unreadable",
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "solana:{}?", self.recipient)?;
        if let Some(amount) = self.amount {
            let text = amount.to_string();
            write!(f, "amount={}&", text.trim_end_matches('0').trim_end_matches('.'))?;
        }
        write!(f, "spl-token={}&reference={}", self.mint, self.reference)?;
        for (name, text) in [("label", &self.label), ("message", &self.message)] {
            if let Some(text) = text {
                write!(f, "&{name}={}", escaped(text))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Request {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let rest = text.strip_prefix("solana:").ok_or(RequestError::NotARequest)?;
        let (recipient, fields) = rest.split_once('?').unwrap_or((rest, ""));
        let recipient = recipient.parse().map_err(|_| RequestError::NotARequest)?;
        let fields: Vec<(&str, &str)> = fields.split('&').filter_map(|field| field.split_once('=')).collect();
        let field = |name: &'static str| {
            let mut found = fields.iter().filter(|(of, _)| *of == name);
            match (found.next(), found.next()) {
                (None, _) => Ok(None),
                (Some((_, value)), None) => unescaped(value).map(Some).ok_or(RequestError::Field(name)),
                (Some(_), Some(_)) => Err(RequestError::Field(name)),
            }
        };
        let address = |name: &'static str| {
            let address = field(name)?.and_then(|text| text.parse().ok());
            address.ok_or(RequestError::Field(name))
        };
        let amount = match field("amount")? {
            None => None,
            Some(text) => Some(parse_amount(&text).ok_or(RequestError::Field("amount"))?),
        };
        Ok(Self {
            recipient,
            mint: address("spl-token")?,
            amount,
            reference: address("reference")?,
            label: field("label")?,
            message: field("message")?,
        })
    }
}

/// A decimal number without exponent; one below 1 begins with `0.`.
fn parse_amount(text: &str) -> Option<BaseUnits> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > DECIMALS {
        return None;
    }
    let units: u64 = format!("{part:0<DECIMALS$}").parse().ok()?;
    let whole = BaseUnits::ONE_USDC.times(whole.parse().ok()?).ok()?;
    whole.plus(BaseUnits(units)).ok()
}

/// Percent-encodes all but the characters that RFC 3986 leaves alone everywhere.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = rest.split_first_chunk::<2>()?;
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECIPIENT: &str = "mvines9iiHiQTysrwkJjGf2gb9Ex9jXJX8ns3qwf2kN";
    const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkwyTDt1v";

    fn request(amount: Option<u64>, label: Option<&str>) -> Request {
        Request {
            recipient: RECIPIENT.parse().unwrap(),
            mint: USDC.parse().unwrap(),
            amount: amount.map(BaseUnits),
            reference: Address::new_from_array([1; 32]),
            label: label.map(str::to_owned),
            message: None,
        }
    }

    #[test]
    fn is_written_as_specified() {
        let reference = Address::new_from_array([1; 32]);
        let tail = format!("spl-token={USDC}&reference={reference}");
        let check = |request: Request, expected: String| {
            assert_eq!(request.to_string(), expected);
            assert_eq!(expected.parse(), Ok(request));
        };
        check(request(Some(10_000), None), format!("solana:{RECIPIENT}?amount=0.01&{tail}"));
        check(request(Some(20_000_000), None), format!("solana:{RECIPIENT}?amount=20&{tail}"));
        check(request(None, Some("Ä & B")), format!("solana:{RECIPIENT}?{tail}&label=%C3%84%20%26%20B"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let reference = Address::new_from_array([1; 32]);
        let parse = |fields: &str| format!("solana:{RECIPIENT}?{fields}").parse::<Request>();
        let good = format!("spl-token={USDC}&reference={reference}");
        assert!(parse(&good).is_ok());
        for amount in ["", ".5", "1.", "-1", "1e3", "+1", "0.0000001", "1.0.0", "18446744073710"] {
            let parsed = parse(&format!("{good}&amount={amount}"));
            assert_eq!(parsed, Err(RequestError::Field("amount")), "{amount}");
        }
        assert_eq!(parse(&format!("{good}&reference={reference}")), Err(RequestError::Field("reference")));
        assert_eq!(parse(&format!("reference={reference}")), Err(RequestError::Field("spl-token")));
        assert_eq!(parse(&format!("{good}&label=%4")), Err(RequestError::Field("label")));
        assert_eq!("bitcoin:x".parse::<Request>(), Err(RequestError::NotARequest));
        assert_eq!("solana:https%3A%2F%2Fexample.com".parse::<Request>(), Err(RequestError::NotARequest));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(amount in proptest::option::of(any::<u64>()), label in proptest::option::of(".*")) {
            let request = request(amount, label.as_deref());
            prop_assert_eq!(request.to_string().parse(), Ok(request));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = format!("solana:{RECIPIENT}?{text}").parse::<Request>();
        }
    }
}

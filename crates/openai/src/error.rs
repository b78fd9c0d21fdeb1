//! Errors as OpenAI's clients understand them.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lull_types::Fault;
use serde::Serialize;

use crate::faults::{self, Retry};
use crate::limits::{Refusal, Scarce};

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// OpenAI's `code`, or one of ours.
    pub code: Cow<'static, str>,
    /// What happened, what it means and what to do.
    pub message: String,
    /// The parameter that is at fault, such as `messages[0].content`.
    pub param: Option<String>,
    /// Whether the client is to try again on its own.
    pub retry: Retry,
}

/// The body of an answer that is an error, and an event of a stream that broke off.
#[derive(Serialize)]
struct Body<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: &'a str,
}

impl ApiError {
    /// Something that a parameter says cannot be done.
    pub(crate) fn param(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: Cow::Borrowed(code),
            message: message.into(),
            param: Some(param.into()),
            retry: Retry::Never,
        }
    }

    /// From a code of [`crate::FAULTS`] and a sentence.
    pub(crate) fn new(code: &str, sentence: impl Into<String>) -> Self {
        Fault::new(code, sentence).into()
    }

    /// The same, about a parameter.
    pub(crate) fn about(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// As it is written, in JSON.
    pub(crate) fn json(&self) -> String {
        // Writing strings into memory does not fail.
        serde_json::to_string(&self.body()).unwrap_or_default()
    }

    fn body(&self) -> Body<'_> {
        Body {
            error: Told {
                message: &self.message,
                r#type: self.kind,
                param: self.param.as_deref(),
                code: &self.code,
            },
        }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let Some(known) = faults::meaning(&fault.code) else {
            // Better to take the blame than to put it on a client for something that nobody has thought of here.
            return Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                kind: "server_error",
                code: Cow::Owned(fault.code),
                message: fault.sentence,
                param: None,
                retry: Retry::ByStatus,
            };
        };
        Self {
            status: StatusCode::from_u16(known.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            kind: known.kind,
            code: Cow::Borrowed(known.told_as),
            message: fault.sentence,
            param: None,
            retry: known.retry,
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let what = refusal.scarce.name();
        let wait_s = refusal.retry_after.as_secs_f64();
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: what,
            code: Cow::Borrowed("rate_limit_exceeded"),
            message: format!(
                "you may ask for {} {what} a minute, and have; try again in {wait_s:.1} s",
                refusal.per_minute
            ),
            param: None,
            retry: Retry::After(refusal.retry_after),
        }
    }
}

impl Scarce {
    /// OpenAI's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(code = %self.code, message = self.message, "a customer's request failed");
        }
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        match self.retry {
            Retry::ByStatus => {}
            Retry::Never => {
                headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
            }
            Retry::After(wait) => {
                // Whole seconds are the standard; the official clients look for milliseconds first.
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                let millis = wait.as_millis().max(1);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(60)));
                headers.insert(
                    HeaderName::from_static("retry-after-ms"),
                    HeaderValue::from(u64::try_from(millis).unwrap_or(60_000)),
                );
            }
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Part of the request's body may not have been read, and what follows on the connection would be taken for
        // the next request.
        if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&self.status) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// For methods that a path does not have.
pub(crate) async fn no_such_method() -> ApiError {
    ApiError::new("method_unknown", "this path does not take this method; see OpenAI's API reference")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn errors_have_openais_shape() {
        let error = ApiError::param("n", "invalid_value", "n is too large");
        let expected = r#"{"error":{"message":"n is too large","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#;
        assert_eq!(error.json(), expected);
        let error = ApiError::new("worker_lost", "the worker is gone");
        let expected = r#"{"error":{"message":"the worker is gone","type":"server_error","param":null,"code":"worker_lost"}}"#;
        assert_eq!(error.json(), expected);
    }

    #[test]
    fn headers_say_whether_to_try_again() {
        let header = |error: ApiError, name: &str| {
            let response = error.into_response();
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let poor = ApiError::new("deposit_too_small", "there is no money left");
        assert_eq!(poor.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(header(poor.clone(), "x-should-retry").as_deref(), Some("false"));
        assert_eq!(header(poor, "retry-after"), None);
        let fast = ApiError::from(Refusal {
            scarce: Scarce::Requests,
            per_minute: 60,
            retry_after: Duration::from_millis(1200),
        });
        assert_eq!(fast.message, "you may ask for 60 requests a minute, and have; try again in 1.2 s");
        assert_eq!(header(fast.clone(), "retry-after").as_deref(), Some("2"));
        assert_eq!(header(fast, "retry-after-ms").as_deref(), Some("1200"));
        assert_eq!(header(ApiError::new("worker_lost", ""), "retry-after"), None);
    }

    #[test]
    fn a_code_that_nobody_thought_of_is_the_servers_fault() {
        let error = ApiError::new("never_heard_of", "something is odd");
        assert_eq!(error.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(error.code, "never_heard_of");
    }
}

//! Streams as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{BoxStream, SelectAll, once, select_all, unfold};
use futures_util::{Stream, StreamExt};

use crate::backend::Pieces;
use crate::desk::Reservation;
use crate::form::Form;
use crate::telling::{Heard, Telling};

/// A comment is sent when nothing else has been for so long, as while another worker takes an answer over. Proxies and
/// load balancers close a connection that is silent for 60 s, some for 30 s; half of that leaves room for one that is late.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// What is being told.
struct Told<F> {
    telling: Telling<F>,
    /// Events that have been decided on and not been sent.
    events: VecDeque<String>,
    answers: SelectAll<BoxStream<'static, (u32, Heard)>>,
    reserved: Option<Reservation>,
}

/// The response. When its client goes away it is dropped, and the answers with it.
pub(crate) fn response<F: Form>(
    telling: Telling<F>,
    answers: Vec<Pieces>,
    reserved: Reservation,
) -> Response {
    let events =
        events(telling, answers, reserved).map(|data| Ok::<_, Infallible>(Event::default().data(data)));
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE_INTERVAL).text("waiting");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // nginx, and what has learnt from it, would collect events before it hands them on.
    let no_buffering = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().insert(no_buffering.0, no_buffering.1);
    response
}

/// The data of all events.
fn events<F: Form>(
    telling: Telling<F>,
    answers: Vec<Pieces>,
    reserved: Reservation,
) -> impl Stream<Item = String> + Send {
    let heard = |(index, pieces): (u32, Pieces)| {
        pieces
            .map(Heard::Piece)
            .chain(once(std::future::ready(Heard::End)))
            .map(move |heard| (index, heard))
            .boxed()
    };
    let told = Told {
        events: telling.open().into(),
        telling,
        answers: select_all((0..).zip(answers).map(heard)),
        reserved: Some(reserved),
    };
    unfold(told, |mut told| async move {
        loop {
            if let Some(event) = told.events.pop_front() {
                return Some((event, told));
            }
            if told.telling.is_over() {
                return None;
            }
            let (index, heard) = told.answers.next().await?;
            told.events.extend(told.telling.handle(index, heard));
            if told.telling.is_over() {
                // Nothing more is wanted of answers that go on, and a client that reads slowly is not to hold them.
                told.answers.clear();
                if let Some(reserved) = told.reserved.take() {
                    reserved.settle(told.telling.tokens());
                }
            }
        }
    })
}

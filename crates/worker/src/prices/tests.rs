//! The real reader and the scripted one by the same contract; and what only the real one meets.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use lull_guards::tariff::LIST_BYTES_MAX;

use super::*;

const FIRST: &str = "2026-01-15T12:00Z,0.21\n";
const SECOND: &str = "2026-01-16T12:00Z,0.22\n";

/// What every reader does with a source that holds [`FIRST`] and, after `change`, [`SECOND`].
async fn contract(reader: &dyn PriceReader, source: &PriceSource, change: impl FnOnce()) {
    let Read::Bytes { bytes, mark } = reader.read(source, None).await.unwrap() else {
        panic!("nothing was known")
    };
    assert_eq!(bytes, FIRST.as_bytes());
    assert!(mark.is_some());
    assert_eq!(reader.read(source, mark.as_ref()).await, Ok(Read::Unchanged));
    assert!(
        matches!(reader.read(source, None).await, Ok(Read::Bytes { bytes, .. }) if bytes == FIRST.as_bytes())
    );
    change();
    let again = reader.read(source, mark.as_ref()).await;
    assert!(matches!(again, Ok(Read::Bytes { bytes, .. }) if bytes == SECOND.as_bytes()));
}

/// What a small server on this machine answers.
#[derive(Clone, Default)]
struct Site {
    second: Arc<AtomicBool>,
    /// Known by time and not by tag.
    by_time: bool,
}

async fn list(State(site): State<Site>, asked: HeaderMap) -> Response {
    let second = site.second.load(Ordering::SeqCst);
    let (told, by, value) = match (site.by_time, second) {
        (false, false) => (header::ETAG, header::IF_NONE_MATCH, "\"1\""),
        (false, true) => (header::ETAG, header::IF_NONE_MATCH, "\"2\""),
        (true, false) => (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE, "Thu, 15 Jan 2026 12:00:00 GMT"),
        (true, true) => (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE, "Fri, 16 Jan 2026 12:00:00 GMT"),
    };
    if asked.get(by).is_some_and(|known| known == value) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(told, value)], if second { SECOND } else { FIRST }).into_response()
}

/// Serves on this machine; gives the server's address.
async fn serve(site: Site) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let long = "x".repeat(LIST_BYTES_MAX + 1);
    let router = Router::new()
        .route("/list", get(list))
        .route("/moved", get(|| async { Redirect::permanent("/list") }))
        .route("/around", get(|| async { Redirect::permanent("/around") }))
        .route("/away", get(|| async { Redirect::permanent("http://prices.example/list") }))
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route("/long", get(move || async move { long }))
        .with_state(site);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn url(address: &str, path: &str) -> PriceSource {
    PriceSource::Url { url: format!("{address}{path}") }
}

#[tokio::test]
async fn scripted_lists_are_read_by_the_contract() {
    let answers = [FIRST, FIRST, FIRST, SECOND].map(|text| Ok(text.to_owned()));
    let source = PriceSource::File { path: "/prices".to_owned() };
    let reader = Scripted::new(answers);
    contract(&reader, &source, || ()).await;
    assert_eq!(reader.asked().len(), 4);
}

#[tokio::test]
async fn files_are_read_by_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.csv");
    std::fs::write(&path, FIRST).unwrap();
    let source = PriceSource::File { path: path.to_str().unwrap().to_owned() };
    let reader = SystemReader::default();
    let change = || {
        std::fs::write(&path, SECOND).unwrap();
        // A clock that counts coarsely must not hide the change.
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
        File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    };
    contract(&reader, &source, change).await;

    let at = |path: &Path| PriceSource::File { path: path.to_str().unwrap().to_owned() };
    let read = |source| async move { SystemReader::default().read(&source, None).await };
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(read(source).await, Err(PricesError::FileMissing { .. })));
    assert!(matches!(read(at(folder.path())).await, Err(PricesError::FileUnreadable { .. })));
    std::fs::write(&path, vec![b' '; LIST_BYTES_MAX + 1]).unwrap();
    assert_eq!(read(at(&path)).await, Err(ListError::TooLarge.into()));
}

#[tokio::test]
async fn addresses_are_asked_by_the_contract() {
    for by_time in [false, true] {
        let site = Site { by_time, ..Site::default() };
        let address = serve(site.clone()).await;
        let reader = SystemReader::default();
        let change = || site.second.store(true, Ordering::SeqCst);
        contract(&reader, &url(&address, "/list"), change).await;
    }
}

#[tokio::test]
async fn an_address_leads_no_further_than_is_safe() {
    let address = serve(Site::default()).await;
    let read = |path| {
        let source = url(&address, path);
        async move { SystemReader::default().read(&source, None).await }
    };
    assert!(matches!(read("/moved").await, Ok(Read::Bytes { .. })));
    assert_eq!(read("/away").await, Err(PricesError::Redirected));
    assert_eq!(read("/around").await, Err(PricesError::Redirected));
    assert_eq!(read("/gone").await, Err(PricesError::Refused { status: 410 }));
    assert_eq!(read("/long").await, Err(ListError::TooLarge.into()));
    // Nobody listens there any more.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let source = url(&closed, "/list");
    assert_eq!(SystemReader::default().read(&source, None).await, Err(PricesError::Unreachable));
}

#[test]
fn only_what_nobody_can_change_on_the_way_is_asked() {
    let check = |url: &str| check_source(&PriceSource::Url { url: url.to_owned() });
    for url in [
        "https://prices.example/today.csv?key=1",
        "http://localhost:8080/",
        "http://[::1]/p",
        "http://127.0.0.2",
    ] {
        assert_eq!(check(url), Ok(()), "{url}");
    }
    assert_eq!(check("http://prices.example/"), Err(PricesError::NotSecure));
    for url in ["prices.example", "ftp://prices.example/", "file:///etc/passwd", ""] {
        assert_eq!(check(url), Err(PricesError::NotAUrl), "{url}");
    }
    let file = |path: &str| check_source(&PriceSource::File { path: path.to_owned() });
    assert_eq!(file("prices.csv"), Err(PricesError::PathNotWhole));
    assert_eq!(file("~/prices.csv"), Err(PricesError::PathNotWhole));
    let whole = std::env::temp_dir().join("prices.csv");
    assert_eq!(file(whole.to_str().unwrap()), Ok(()));
}

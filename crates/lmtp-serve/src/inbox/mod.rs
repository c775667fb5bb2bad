//! The inbox: a page that shows the Maildirs, what each recipient was answered, and what comes in as it comes.
//! It is for looking only.

mod journal;
mod page;
mod store;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream;
use lmtp_web::{Door, Refusal};
use tokio::sync::Semaphore;

pub(crate) use journal::{Answered, Journal};
use store::Store;

const STYLE: &str = include_str!("inbox.css");
const SCRIPT: &str = include_str!("inbox.js");
/// Nothing but what is served here.
const POLICY: &str = "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Messages on the page.
const LISTED: usize = 200;
/// Octets of a message that are shown.
const SHOWN: u64 = 1024 * 1024;
/// Who looks at once.
const WATCHERS: usize = 64;

#[derive(Debug)]
struct Shared {
    store: Store,
    journal: Journal,
    watchers: Arc<Semaphore>,
}

/// Who may look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// The names that it is called by.
    pub(crate) hosts: Vec<String>,
    pub(crate) token: Option<String>,
}

/// The routes of the inbox, behind their door.
pub(crate) fn routes(root: &Path, journal: Journal, access: Access) -> io::Result<Router> {
    let door = Door::new(lmtp_web::Config {
        hosts: access.hosts,
        token: access.token,
        cookie: "lmtp-inbox",
        // A page that is open looks again with each message.
        per_minute: 1200,
        body: 4096,
        bodies: 64 * 1024,
        pages: &["/", "/message"],
        open: &["/page.css"],
        refuse: |refusal: Refusal| (refusal.status, format!("{}\n", refusal.message)).into_response(),
    })?;
    let watchers = Arc::new(Semaphore::new(WATCHERS));
    let shared = Arc::new(Shared { store: Store::new(root), journal, watchers });
    let routes = Router::new()
        .route("/", get(list))
        .route("/message", get(message))
        .route("/events", get(events))
        .route("/page.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .route("/inbox.js", get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .with_state(shared);
    Ok(door.before(routes))
}

type Asked = Query<Vec<(String, String)>>;

fn asked<'a>(query: &'a Asked, name: &str) -> Option<&'a str> {
    let value = query.iter().find(|(asked, _)| asked == name).map(|(_, value)| value.as_str());
    value.filter(|value| !value.is_empty())
}

async fn list(State(shared): State<Arc<Shared>>, query: Asked) -> Response {
    let mailbox = asked(&query, "mailbox").map(str::to_owned);
    let looked = tokio::task::spawn_blocking(move || {
        let contents = shared.store.list(mailbox.as_deref(), LISTED)?;
        Ok::<_, io::Error>(page::list(&shared.store, &contents, mailbox.as_deref(), &shared.journal.latest(LISTED)))
    });
    shown(looked.await.unwrap_or_else(|error| Err(io::Error::other(error))))
}

async fn message(State(shared): State<Arc<Shared>>, query: Asked) -> Response {
    let (mailbox, file) = (asked(&query, "mailbox").unwrap_or_default(), asked(&query, "file").unwrap_or_default());
    let (mailbox, file) = (mailbox.to_owned(), file.to_owned());
    let looked = tokio::task::spawn_blocking(move || {
        let (octets, size) = shared.store.read(&mailbox, &file, SHOWN)?;
        let answers = shared.journal.of(&mailbox, store::unflagged(&file));
        Ok::<_, io::Error>(page::message(&mailbox, &octets, size, &answers))
    });
    shown(looked.await.unwrap_or_else(|error| Err(io::Error::other(error))))
}

fn shown(page: io::Result<String>) -> Response {
    let (status, page) = match page {
        Ok(page) => (StatusCode::OK, page),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (StatusCode::NOT_FOUND, page::failed("There is no such message; somebody may have moved or removed it."))
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, page::failed(&format!("The mail cannot be read: {error}"))),
    };
    let mut response = (status, Html(page)).into_response();
    response.headers_mut().insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(POLICY));
    response
}

/// An event with each answer, and a word now and then so that both ends notice when the other is gone.
async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(place) = Arc::clone(&shared.watchers).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many are looking already\n").into_response();
    };
    let watch = shared.journal.watch();
    let events = stream::unfold((watch, place), |(mut watch, place)| async {
        watch.changed().await.ok()?;
        // Of many at once one is told of.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let count = *watch.borrow_and_update();
        Some((Ok::<_, Infallible>(Event::default().event("answered").data(count.to_string())), (watch, place)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

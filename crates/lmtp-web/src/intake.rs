//! The bodies of requests: so many octets of each, so many of all together, and so much time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::door::Refusal;

/// How long a body may take, and a request may wait for room.
const PATIENCE: Duration = Duration::from_secs(30);

/// A permit is that many octets.
const PIECE: usize = 1024;

/// What all bodies together may take of memory.
#[derive(Debug)]
pub(crate) struct Intake {
    /// Octets of one body.
    most: usize,
    room: Semaphore,
}

/// A request whose body has been read, and its share of the room for as long as it is answered.
pub(crate) struct Taken<'a> {
    pub(crate) request: Request,
    pub(crate) _room: Option<SemaphorePermit<'a>>,
}

impl Intake {
    /// Room for `together` octets, and at least for one body of `most`.
    pub(crate) fn new(most: usize, together: usize) -> Self {
        let pieces = together.max(most).div_ceil(PIECE).clamp(1, Semaphore::MAX_PERMITS);
        Self { most, room: Semaphore::new(pieces) }
    }

    /// Reads the body. Room for it is taken first: for as much as it says that it has, or for the most that it may.
    pub(crate) async fn read(&self, request: Request) -> Result<Taken<'_>, Refusal> {
        let told =
            request.headers().get(header::CONTENT_LENGTH).map(|value| value.to_str().ok()?.parse::<usize>().ok());
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let octets = match told {
            Some(Some(octets)) if !is_chunked => octets,
            None if !is_chunked => 0,
            _ => self.most,
        };
        if octets > self.most {
            return Err(too_large());
        }
        if octets == 0 {
            let (parts, _) = request.into_parts();
            return Ok(Taken { request: Request::from_parts(parts, Body::empty()), _room: None });
        }
        let pieces = u32::try_from(octets.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let room = timeout(PATIENCE, self.room.acquire_many(pieces)).await;
        let Ok(Ok(room)) = room else { return Err(Refusal::busy()) };
        let (parts, body) = request.into_parts();
        match timeout(PATIENCE, axum::body::to_bytes(body, self.most)).await {
            Ok(Ok(octets)) => Ok(Taken { request: Request::from_parts(parts, Body::from(octets)), _room: Some(room) }),
            // What says how long it is was not too long.
            Ok(Err(_)) if is_chunked => Err(too_large()),
            Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, "body", "the request ends before its end")),
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "body", "the request takes too long to arrive")),
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "size", "the request is larger than is taken here")
}

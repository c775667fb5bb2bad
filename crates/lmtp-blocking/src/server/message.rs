//! A message on its way in.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use lmtp_proto::server::BodyError;
use lmtp_proto::value::MailParams;
use lmtp_proto::{Envelope, TransactionId};

use super::line::Line;

/// A message on its way in: who it is from and for, and its content, which has only
/// begun to come.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// Its name on this connection.
    pub id: TransactionId,
    /// The sender and the recipients that were accepted, in the order of their
    /// [`RecipientId`](lmtp_proto::RecipientId)s. It can be sent on as it is.
    pub envelope: Envelope,
    /// All that MAIL said, SIZE, BODY and SMTPUTF8 included, which an envelope leaves
    /// out.
    pub params: MailParams,
    /// The content.
    pub body: Incoming,
}

/// The content of a message, dots undone, as it comes in. Also a [`Read`], whose
/// error is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) with the [`BodyError`]
/// in it.
///
/// It is read from the client as it is asked for, so that a reader who takes his time
/// lets the client wait. A body that is dropped is read to its end for nobody.
#[derive(Debug)]
pub struct Incoming {
    line: Arc<Line>,
    id: TransactionId,
    /// A piece that was not taken whole.
    rest: Bytes,
    /// Whether it was whole, once that is known.
    ended: Option<Result<(), BodyError>>,
}

impl Incoming {
    pub(super) fn new(line: Arc<Line>, id: TransactionId) -> Self {
        Self { line, id, rest: Bytes::new(), ended: None }
    }

    /// The next piece of it, never empty; `None` when it was whole.
    ///
    /// # Errors
    ///
    /// It has no end, and what was read of it is void: never is a message shorter
    /// than it was sent.
    #[expect(
        clippy::should_implement_trait,
        reason = "its name in every front end; it fails for good, and cannot go on"
    )]
    pub fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        if let Some(ended) = &self.ended {
            return ended.clone().map(|()| None);
        }
        let octets = self.line.read_content(self.id);
        match &octets {
            Ok(Some(_)) => {}
            Ok(None) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(error.clone())),
        }
        octets
    }

    /// All that has not been read of it, in memory. Its size is bounded by
    /// [`Limits::message_size`](lmtp_proto::Limits::message_size) alone.
    ///
    /// # Errors
    ///
    /// It has no end.
    pub fn read_all(&mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.next()? else { return Ok(Bytes::new()) };
        let Some(second) = self.next()? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(octets) = self.next()? {
            all.extend_from_slice(&octets);
        }
        Ok(all.freeze())
    }
}

impl Read for Incoming {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        let octets = self.next().map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error))?;
        let Some(mut octets) = octets else { return Ok(0) };
        let count = octets.len().min(room.len());
        octets.copy_to_slice(&mut room[..count]);
        self.rest = octets;
        Ok(count)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.line.stop_reading(self.id);
    }
}

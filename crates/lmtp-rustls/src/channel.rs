//! The encrypted stream between a machine and its driver.

use std::collections::VecDeque;
use std::io::{BufRead as _, IoSlice, Write};

use bytes::{Buf as _, Bytes, BytesMut};
use lmtp_proto::SendQueue;
use rustls::Connection;

/// A record holds at most so many octets (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;
/// So many octets of a machine are encrypted ahead of what the driver has
/// written.
const AHEAD: usize = 64 * 1024;
/// Slices of a queue that go into one record.
const SLICES: usize = 32;
/// Room for a handshake, and the least there is.
pub(crate) const LEAST_ROOM: usize = 4096;
/// The most room there is.
const MOST_ROOM: usize = 64 * 1024;

/// rustls between two buffers: what was read and is still encrypted, and what is
/// encrypted and not yet written.
pub(crate) struct Channel {
    pub(crate) connection: Connection,
    input: BytesMut,
    pub(crate) queue: SendQueue,
    /// Each record with octets of the machine that is not yet written: the place in
    /// the stream where it ends, and how many octets of the machine it holds.
    records: VecDeque<(u64, usize)>,
    /// What ended it.
    fault: Option<rustls::Error>,
    /// The peer has said that it will send no more (`close_notify`).
    ended: bool,
}

impl Channel {
    pub(crate) fn new(connection: Connection) -> Self {
        let mut channel = Self {
            connection,
            input: BytesMut::new(),
            queue: SendQueue::new(),
            records: VecDeque::new(),
            fault: None,
            ended: false,
        };
        channel.flush();
        channel
    }

    /// The buffer to append to, with about so much room.
    pub(crate) fn input(&mut self, room: usize) -> &mut BytesMut {
        let room = room.clamp(LEAST_ROOM, MOST_ROOM);
        // What a message needed is given back between messages.
        if self.input.is_empty() && (self.input.capacity() > 2 * room || self.input.try_reclaim(2 * room + 1)) {
            self.input = BytesMut::new();
        }
        if self.input.capacity() - self.input.len() < room / 2 {
            self.input.reserve(room);
        }
        &mut self.input
    }

    /// Takes in what was read, up to the first octets for the machine: the rest
    /// waits until it has taken them.
    pub(crate) fn take_in(&mut self) {
        while self.fault.is_none() && !self.input.is_empty() && !self.has_octets() {
            let mut rest = &self.input[..];
            match self.connection.read_tls(&mut rest) {
                // Nothing counts behind close_notify.
                Ok(0) => self.input.clear(),
                Ok(taken) => self.input.advance(taken),
                Err(error) => return self.fail(rustls::Error::General(error.to_string())),
            }
            match self.connection.process_new_packets() {
                Ok(state) => self.ended = state.peer_has_closed(),
                Err(error) => self.fail(error),
            }
            self.flush();
        }
    }

    fn fail(&mut self, fault: rustls::Error) {
        self.fault = Some(fault);
        self.input = BytesMut::new();
    }

    /// Whether there are octets for the machine.
    fn has_octets(&mut self) -> bool {
        matches!(self.connection.reader().fill_buf(), Ok(octets) if !octets.is_empty())
    }

    /// Gives the machine as many octets as it has room for; whether there were any.
    pub(crate) fn deliver(&mut self, to: &mut BytesMut) -> bool {
        let mut delivered = false;
        let mut reader = self.connection.reader();
        while let Ok(octets) = reader.fill_buf() {
            let count = octets.len().min(to.capacity() - to.len());
            if count == 0 {
                break;
            }
            to.extend_from_slice(&octets[..count]);
            reader.consume(count);
            delivered = true;
        }
        delivered
    }

    /// Encrypts what the machine has queued, unless enough is encrypted already.
    ///
    /// It stays in the machine's queue until its record is [written](Self::settle):
    /// for the machine, an octet is sent when the driver has written it, and not
    /// before.
    pub(crate) fn encrypt(&mut self, from: &SendQueue) {
        if !self.records.is_empty() {
            return;
        }
        let mut slices = [IoSlice::new(&[]); AHEAD / RECORD * SLICES];
        let count = from.chunks_vectored(&mut slices);
        let mut rest = &mut slices[..count];
        while !rest.is_empty() && self.records.len() < AHEAD / RECORD {
            let taken = self.encrypt_record(&rest[..rest.len().min(SLICES)]);
            if taken == 0 {
                break;
            }
            IoSlice::advance_slices(&mut rest, taken);
        }
    }

    /// Encrypts one record of octets from the beginning of these slices; how many.
    fn encrypt_record(&mut self, slices: &[IoSlice<'_>]) -> usize {
        // Slices that make a record whole; a long one is cut.
        let mut record = [IoSlice::new(&[]); SLICES];
        let mut length = 0;
        for (place, slice) in record.iter_mut().zip(slices) {
            *place = IoSlice::new(&slice[..slice.len().min(RECORD - length)]);
            length += place.len();
        }
        let taken = self.connection.writer().write_vectored(&record).unwrap_or_default();
        self.flush();
        self.records.push_back((self.queue.mark(), taken));
        taken
    }

    /// Tells the machine which of its octets are written.
    pub(crate) fn settle(&mut self, queue: &mut SendQueue) {
        // A machine that has forgotten what it had to say has given up.
        if self.records.iter().map(|(_, octets)| octets).sum::<usize>() > queue.len() {
            self.records.clear();
        }
        while let Some(&(end, octets)) = self.records.front()
            && end <= self.queue.sent()
        {
            queue.advance(octets);
            self.records.pop_front();
        }
    }

    /// Queues what rustls has to say.
    fn flush(&mut self) {
        while self.connection.wants_write() {
            // Appending to a queue in memory cannot fail.
            let written = self.connection.write_tls(&mut Records(&mut self.queue));
            debug_assert!(matches!(written, Ok(1..)), "{written:?}");
        }
    }

    /// Says that nothing more will be said.
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
        self.flush();
    }

    /// Nothing more can be written.
    pub(crate) fn forget_output(&mut self) {
        self.queue.clear();
        self.records.clear();
    }

    pub(crate) fn take_fault(&mut self) -> Option<rustls::Error> {
        self.fault.take()
    }

    pub(crate) fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

/// Records on their way into a queue, each in storage of its own: it is given back
/// when the record is written.
struct Records<'a>(&'a mut SendQueue);

impl Write for Records<'_> {
    fn write(&mut self, record: &[u8]) -> std::io::Result<usize> {
        self.0.push(Bytes::copy_from_slice(record));
        Ok(record.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

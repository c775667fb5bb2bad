//! TLS around a machine as its driver sees it.

use std::time::Duration;

use bytes::BytesMut;
use lmtp_proto::{Instant, Machine, Output, SendQueue};

use crate::channel::{Channel, LEAST_ROOM};
use crate::tls::Stage;
use crate::{Error, Handshake, Tls, TlsError};

/// How long a peer may take to read why TLS ends, or to say why it takes no more.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl<M: Machine> Machine for Tls<M> {
    type Event = M::Event;
    type Error = Error<M::Error>;

    fn poll_output(&mut self, now: Instant) -> Result<Output<M::Event>, Self::Error> {
        loop {
            let output = match &mut self.stage {
                Stage::Clear(handshake) => match self.machine.poll_output(now).map_err(Error::Machine)? {
                    Output::StartTls if handshake.is_some() => {
                        let handshake = handshake.take();
                        self.begin(handshake, now);
                        None
                    }
                    output => Some(output),
                },
                Stage::Due(handshake) => {
                    let handshake = Some(handshake.clone());
                    self.begin(handshake, now);
                    None
                }
                Stage::Shaking => self.shake(now),
                Stage::Open { .. } => self.converse(now),
                Stage::Ending => return self.last_words(),
            };
            if let Some(output) = output {
                return Ok(output);
            }
        }
    }

    fn transmit(&mut self) -> &mut SendQueue {
        match &mut self.channel {
            Some(channel) => &mut channel.queue,
            None => self.machine.transmit(),
        }
    }

    fn input(&mut self) -> &mut BytesMut {
        match (&mut self.channel, &self.stage) {
            (None, _) => self.machine.input(),
            (Some(channel), Stage::Open { .. }) => {
                let input = self.machine.input();
                channel.input(input.capacity() - input.len())
            }
            (Some(channel), _) => channel.input(LEAST_ROOM),
        }
    }

    fn handle_eof(&mut self) {
        self.eof = true;
        // Under TLS it is told when it has heard all that came before.
        if let Stage::Clear(_) = self.stage {
            self.machine.handle_eof();
        }
    }

    fn handle_write_closed(&mut self) {
        self.write_closed = true;
        if let Some(channel) = &mut self.channel {
            channel.forget_output();
        }
        // In the handshake it is told when that has come to an end.
        if matches!(self.stage, Stage::Clear(_) | Stage::Open { .. }) {
            self.machine.handle_write_closed();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.stage {
            Stage::Clear(_) | Stage::Open { .. } => self.machine.handle_timeout(now),
            _ if self.deadline.is_none_or(|deadline| now < deadline) => {}
            Stage::Due(_) | Stage::Shaking => self.fail(TlsError::timed_out(), now),
            Stage::Ending => self.forget_output(),
        }
    }

    /// For a driver that encrypts the stream itself, around this one.
    fn handle_tls(&mut self) {
        if let Stage::Clear(_) = self.stage {
            self.machine.handle_tls();
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Clear(_) | Stage::Open { .. } => self.machine.poll_timeout(),
            Stage::Due(_) | Stage::Shaking | Stage::Ending => self.deadline,
        }
    }
}

impl<M: Machine> Tls<M> {
    /// Begins the handshake. Nothing that came in the clear is left: the machine
    /// does not ask for TLS while it holds any of that (RFC 3207 section 6).
    fn begin(&mut self, handshake: Option<Handshake>, now: Instant) {
        let Some(handshake) = handshake else { return };
        self.deadline = Some(now.saturating_add(handshake.timeout));
        match handshake.begin() {
            Ok(connection) => {
                self.stage = Stage::Shaking;
                self.channel = Some(Box::new(Channel::new(connection)));
            }
            Err(error) => self.fail(TlsError::failed(false, true, error), now),
        }
    }

    /// Goes on with the handshake; nothing if that is over.
    fn shake(&mut self, now: Instant) -> Option<Output<M::Event>> {
        let channel = self.channel.as_mut()?;
        channel.take_in();
        if !channel.connection.is_handshaking() {
            self.stage = Stage::Open { told: false, cut: false };
            self.machine.handle_tls();
            if self.write_closed {
                self.machine.handle_write_closed();
            }
            return None;
        }
        if let Some(error) = channel.take_fault() {
            let server = matches!(channel.connection, rustls::Connection::Server(_));
            self.fail(TlsError::failed(server, true, error), now);
        } else if !channel.queue.is_empty() && !self.write_closed {
            return Some(Output::Transmit);
        } else if self.eof || channel.has_ended() {
            self.fail(TlsError::closed(), now);
        } else {
            if self.write_closed {
                self.deadline = self.deadline.min(Some(now.saturating_add(LAST_WORDS)));
            }
            return Some(Output::Receive);
        }
        None
    }

    /// The handshake has failed: the machine hears that the stream is of no use.
    fn fail(&mut self, error: TlsError, now: Instant) {
        self.machine.handle_write_closed();
        self.machine.handle_eof();
        // For what it makes of that, so that its reports are finished.
        let _ = self.machine.poll_output(now);
        if self.eof || error.is_timeout() {
            self.forget_output();
        }
        self.end(Some(Error::Tls(error)), now);
    }

    /// Lets the machine speak and listen; nothing if it is to be asked again.
    fn converse(&mut self, now: Instant) -> Option<Output<M::Event>> {
        let channel = self.channel.as_mut()?;
        channel.settle(self.machine.transmit());
        let (error, output) = match self.machine.poll_output(now) {
            Ok(output) => (None, output),
            Err(error) => (Some(error), Output::Closed),
        };
        let may_write = !channel.queue.is_empty() && !self.write_closed;
        match output {
            Output::Transmit if channel.has_fault() => self.tell(),
            Output::Transmit => {
                channel.encrypt(self.machine.transmit());
                return Some(Output::Transmit);
            }
            Output::Receive => {
                // Only a look at the line: nothing is waited for, and no write is.
                let glance = self.machine.poll_timeout().is_some_and(|deadline| deadline <= now);
                if may_write && !glance {
                    return Some(Output::Transmit);
                }
                if !self.feed() {
                    return Some(Output::Receive);
                }
            }
            Output::Wait if may_write => return Some(Output::Transmit),
            Output::Closed => self.finish(error, now),
            output => return Some(output),
        }
        None
    }

    /// Gives the machine what was read; whether there was anything.
    fn feed(&mut self) -> bool {
        let Some(channel) = &mut self.channel else { return false };
        channel.take_in();
        if channel.deliver(self.machine.input()) {
            return true;
        }
        let over = channel.has_fault() || channel.has_ended() || self.eof;
        match self.stage {
            Stage::Open { told: false, .. } if over => {
                self.tell();
                true
            }
            _ => false,
        }
    }

    /// Tells the machine that nothing more will be read.
    fn tell(&mut self) {
        let Some(channel) = &self.channel else { return };
        self.stage = Stage::Open { told: true, cut: !channel.has_ended() };
        if channel.has_fault() {
            self.machine.handle_write_closed();
        }
        self.machine.handle_eof();
    }

    /// The machine is done.
    fn finish(&mut self, error: Option<M::Error>, now: Instant) {
        let cut = matches!(self.stage, Stage::Open { cut: true, .. });
        let Some(channel) = &mut self.channel else { return };
        let server = matches!(channel.connection, rustls::Connection::Server(_));
        let error = match (channel.take_fault(), error) {
            (Some(fault), _) => Some(Error::Tls(TlsError::failed(server, false, fault))),
            (None, error) => {
                // A peer that takes nothing does not take this either.
                if error.is_some() && !channel.queue.is_empty() {
                    channel.forget_output();
                } else {
                    channel.close();
                }
                error.map(|error| if cut { Error::Truncated(error) } else { Error::Machine(error) })
            }
        };
        self.end(error, now);
    }

    /// Nothing is left but what is queued.
    fn end(&mut self, error: Option<Error<M::Error>>, now: Instant) {
        self.error = error;
        self.stage = Stage::Ending;
        self.deadline = Some(now.saturating_add(LAST_WORDS));
        if self.write_closed {
            self.forget_output();
        }
    }

    fn last_words(&mut self) -> Result<Output<M::Event>, Error<M::Error>> {
        if self.channel.as_ref().is_some_and(|channel| !channel.queue.is_empty()) {
            return Ok(Output::Transmit);
        }
        self.deadline = None;
        self.error.clone().map_or(Ok(Output::Closed), Err)
    }

    fn forget_output(&mut self) {
        if let Some(channel) = &mut self.channel {
            channel.forget_output();
        }
    }
}

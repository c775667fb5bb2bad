//! A machine behind a proxy: the header first, then the machine.

use core::fmt;
use core::time::Duration;

use bytes::{Buf, BytesMut};

use super::{MAX_HEADER, ProxyError, ProxyHeader, parse};
use crate::{Instant, Machine, Output, SendQueue};

/// A machine behind a proxy: a [`Machine`] itself, the outermost, that reads a PROXY
/// header before the first octet of the one inside. What comes behind the header,
/// be it in the same segment, is for the machine: a command, or a TLS handshake.
///
/// Before the header is whole the machine is not asked, so nothing is said. A stream
/// without a header ends with an error and without a word: it is for the
/// application to put this only before peers that it [trusts](super::Network).
///
/// ```
/// # use lmtp_proto::{Machine, Instant, Output, proxy::Proxied, server::{Config, Server}};
/// # use std::time::Duration;
/// let mut machine = Proxied::new(Server::new(Config::default()), Duration::from_secs(10));
/// assert_eq!(machine.poll_output(Instant::ORIGIN)?, Output::Receive);
/// machine.input().extend(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 24\r\nLHLO mx\r\n");
/// let Output::Event(_) = machine.poll_output(Instant::ORIGIN)? else { panic!() }; // the first question
/// assert_eq!(machine.header().unwrap().source().unwrap().to_string(), "192.0.2.1:40000");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Proxied<M> {
    machine: M,
    stage: Stage,
    header: Option<ProxyHeader>,
    /// The stream has ended, which the machine has not been told.
    eof: bool,
}

enum Stage {
    /// The header is awaited, so long; `Some` from the first question on.
    Header { input: BytesMut, patience: Duration, deadline: Option<Instant> },
    /// What came with it is handed on, as the machine has room.
    Rest(BytesMut),
    /// There is nothing between driver and machine.
    Open,
    /// It is no header, or there is none.
    Failed(ProxiedError),
}

impl<M: Machine> Proxied<M> {
    /// A machine behind a proxy, which has so long to say for whom it speaks.
    pub fn new(machine: M, patience: Duration) -> Self {
        Self::at(Stage::Header { input: BytesMut::new(), patience, deadline: None }, machine)
    }

    /// A machine that is spoken to directly: nothing is added to it.
    pub fn direct(machine: M) -> Self {
        Self::at(Stage::Open, machine)
    }

    fn at(stage: Stage, machine: M) -> Self {
        Self { machine, stage, header: None, eof: false }
    }

    /// What the proxy said, once it has.
    pub fn header(&self) -> Option<&ProxyHeader> {
        self.header.as_ref()
    }

    /// The machine inside.
    pub fn inner(&self) -> &M {
        &self.machine
    }

    /// The machine inside, to be asked by its application. A driver has to use this
    /// one around it.
    pub fn inner_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Looks for the header in what was read so far.
    fn read_header(&mut self, now: Instant) {
        let Stage::Header { input, patience, deadline } = &mut self.stage else { return };
        deadline.get_or_insert(now.saturating_add(*patience));
        self.stage = match parse(input) {
            Ok(Some((header, length))) => {
                self.header = Some(header);
                input.advance(length);
                Stage::Rest(core::mem::take(input))
            }
            Ok(None) if self.eof => Stage::Failed(ProxiedError::Closed),
            Ok(None) => return,
            Err(error) => Stage::Failed(error.into()),
        };
    }

    /// Hands on some of what came with the header; whether there was anything, be it
    /// the end.
    fn hand_on(&mut self) -> bool {
        let Stage::Rest(rest) = &mut self.stage else { return false };
        if !rest.is_empty() {
            let input = self.machine.input();
            let room = input.capacity().saturating_sub(input.len()).min(rest.len());
            input.extend_from_slice(&rest.split_to(room));
            return room > 0;
        }
        self.stage = Stage::Open;
        if self.eof {
            self.machine.handle_eof();
        }
        self.eof
    }
}

impl<M: Machine> Machine for Proxied<M> {
    type Event = M::Event;
    type Error = Error<M::Error>;

    fn poll_output(&mut self, now: Instant) -> Result<Output<M::Event>, Self::Error> {
        if let Stage::Open = self.stage {
            return self.machine.poll_output(now).map_err(Error::Machine);
        }
        self.read_header(now);
        loop {
            match &self.stage {
                Stage::Header { .. } => return Ok(Output::Receive),
                Stage::Failed(error) => return Err(Error::Proxy(*error)),
                Stage::Rest(_) | Stage::Open => match self.machine.poll_output(now).map_err(Error::Machine)? {
                    Output::Receive if self.hand_on() => {}
                    output => return Ok(output),
                },
            }
        }
    }

    fn transmit(&mut self) -> &mut SendQueue {
        self.machine.transmit()
    }

    fn input(&mut self) -> &mut BytesMut {
        match &mut self.stage {
            Stage::Header { input, .. } => {
                input.reserve(MAX_HEADER.saturating_sub(input.len()));
                input
            }
            Stage::Rest(_) | Stage::Open | Stage::Failed(_) => self.machine.input(),
        }
    }

    fn handle_eof(&mut self) {
        self.eof = true;
        if let Stage::Open = self.stage {
            self.machine.handle_eof();
        }
    }

    fn handle_write_closed(&mut self) {
        self.machine.handle_write_closed();
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.stage {
            Stage::Header { deadline: Some(deadline), .. } if deadline <= now => {
                self.stage = Stage::Failed(ProxiedError::TimedOut);
            }
            Stage::Header { .. } | Stage::Failed(_) => {}
            Stage::Rest(_) | Stage::Open => self.machine.handle_timeout(now),
        }
    }

    fn handle_tls(&mut self) {
        self.machine.handle_tls();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Header { deadline, .. } => deadline,
            Stage::Failed(_) => None,
            Stage::Rest(_) | Stage::Open => self.machine.poll_timeout(),
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for Proxied<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxied").field("machine", &self.machine).field("header", &self.header).finish_non_exhaustive()
    }
}

/// What ended a machine behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The machine's own error.
    #[error(transparent)]
    Machine(E),
    /// The proxy has not said for whom it speaks.
    #[error("the proxy: {0}")]
    Proxy(ProxiedError),
}

/// Why there is no PROXY header at the beginning of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxiedError {
    /// Something else is there.
    #[error(transparent)]
    Header(#[from] ProxyError),
    /// It did not come in time.
    #[error("no PROXY header came in time")]
    TimedOut,
    /// The stream ended before it was whole.
    #[error("the stream ended before its PROXY header")]
    Closed,
}

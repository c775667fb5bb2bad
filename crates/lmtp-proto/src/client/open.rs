//! How a session opens, between the reply to LHLO and the first message: TLS,
//! who the connection is for, who we are.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use super::auth::{Begin, Exchange};
use super::inflight::Expected;
use super::table::{Input, State, Tone};
use super::{Client, Line, StartTls};
use crate::auth::{AuthError, Mechanism};
use crate::value::{ClientAttribute, ClientAttributes, Command, Reply, Verb};
use crate::{Error, Phase};

/// What comes next while the session opens, each step once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Stage {
    #[default]
    StartTls,
    Xclient,
    Auth,
    Xforward,
    Forwarding,
    Trace,
    Open,
}

/// The opening of a session.
#[derive(Default)]
pub(super) struct Opening {
    stage: Stage,
    /// Whether the stream is TLS.
    pub(super) secured: bool,
    /// The mechanisms to log in with, best first.
    pub(super) mechanisms: Vec<Box<dyn Mechanism>>,
    exchange: Option<Exchange>,
    /// The line that answers the server's challenge.
    response: Option<String>,
    /// The commands that XCLIENT or XFORWARD has left to say.
    lines: VecDeque<ClientAttributes>,
    /// Whether LHLO must be said again behind them.
    greets_again: bool,
    /// What the server said to STARTTLS, if not yes.
    no_tls: Option<Reply>,
}

/// Nothing of an exchange is shown.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
        f.debug_struct("Opening")
            .field("stage", &self.stage)
            .field("secured", &self.secured)
            .field("mechanisms", &names)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}

impl Opening {
    pub(super) fn new(secured: bool) -> Self {
        Self { secured, ..Self::default() }
    }

    /// Whether it is too late to say how to log in.
    pub(super) fn has_logged_in(&self) -> bool {
        self.stage > Stage::Auth || self.exchange.is_some()
    }

    /// What it has to say by this verb.
    pub(super) fn command(&mut self, verb: Verb) -> Option<Command> {
        match verb {
            Verb::Xclient => self.lines.pop_front().map(Command::Xclient),
            Verb::Xforward => self.lines.pop_front().map(Command::Xforward),
            Verb::Auth => self.exchange.as_ref().map(Exchange::command),
            _ => None,
        }
    }
}

impl Client {
    /// Says what comes next while the session opens.
    pub(super) fn decide(&mut self) {
        if self.closing.is_some() {
            return; // nothing is said to a server that goes away
        }
        match self.next_to_say() {
            Ok(Some(verb)) => self.take_step(Input::Say(verb)),
            Ok(None) => self.take_step(Input::Opened),
            Err(error) => self.fail(error),
        }
    }

    fn next_to_say(&mut self) -> Result<Option<Verb>, Error> {
        loop {
            let Some(offered) = &self.capabilities else { return Ok(None) };
            let opening = &mut self.opening;
            match opening.stage {
                Stage::StartTls => {
                    let wanted = self.config.starttls != StartTls::Off && !opening.secured;
                    opening.stage = Stage::Xclient;
                    if wanted && offered.start_tls() {
                        return Ok(Some(Verb::StartTls));
                    }
                }
                // From here on something is at stake.
                _ if self.config.starttls == StartTls::Required && !opening.secured => {
                    return Err(Error::NoTls { reply: opening.no_tls.take() });
                }
                Stage::Xclient => {
                    if opening.lines.is_empty() && !opening.greets_again {
                        opening.lines = announced(self.config.xclient.as_ref(), offered.xclient());
                    }
                    if !opening.lines.is_empty() {
                        opening.greets_again = true;
                        return Ok(Some(Verb::Xclient));
                    }
                    opening.stage = Stage::Auth;
                    if mem::take(&mut opening.greets_again) {
                        return Ok(Some(Verb::Lhlo));
                    }
                }
                Stage::Auth => {
                    opening.stage = Stage::Xforward;
                    let mechanisms = mem::take(&mut opening.mechanisms);
                    if !mechanisms.is_empty() {
                        let (secured, in_clear) = (opening.secured, self.config.auth_in_clear);
                        opening.exchange = Some(Exchange::begin(mechanisms, offered.auth(), secured, in_clear)?);
                        return Ok(Some(Verb::Auth));
                    }
                }
                Stage::Xforward => {
                    opening.lines = announced(self.config.xforward.as_ref(), offered.xforward());
                    opening.stage = Stage::Forwarding;
                }
                Stage::Forwarding => {
                    if !opening.lines.is_empty() {
                        return Ok(Some(Verb::Xforward));
                    }
                    opening.stage = Stage::Trace;
                }
                Stage::Trace => {
                    opening.stage = Stage::Open;
                    if offered.trace() && self.config.trace_id.is_some() {
                        return Ok(Some(Verb::Trace));
                    }
                }
                Stage::Open => return Ok(None),
            }
        }
    }

    /// The server has said yes to STARTTLS. Whatever stands behind that in the
    /// clear was put there by somebody else (RFC 3207 section 6).
    pub(super) fn wrap_stream(&mut self) {
        if self.has_stray_input() {
            self.fail(Error::OctetsBeforeTls);
        }
    }

    /// The stream is encrypted: nothing that was said before counts.
    pub(super) fn encrypted(&mut self) {
        match self.state {
            _ if self.error.is_some() => {}
            State::Tls if self.has_stray_input() => self.fail(Error::OctetsBeforeTls),
            State::Tls => {
                self.opening.secured = true;
                self.take_step(Input::Encrypted);
            }
            State::Greeting if self.replies == 0 => self.opening.secured = true,
            _ => {}
        }
    }

    /// Takes a reply of the opening to what it changes beside the state.
    pub(super) fn hear_opening(&mut self, verb: Verb, tone: Tone, reply: &Reply) {
        match (verb, tone) {
            (Verb::StartTls, Tone::No) => self.opening.no_tls = Some(reply.clone()),
            (Verb::Auth, tone) => {
                if let Err(error) = self.hear_auth(tone, reply) {
                    self.fail(error);
                }
            }
            _ => {}
        }
    }

    fn hear_auth(&mut self, tone: Tone, reply: &Reply) -> Result<(), Error> {
        let unexpected = Error::Unexpected { phase: Phase::Auth, reply: reply.clone() };
        let Some(exchange) = &mut self.opening.exchange else { return Err(unexpected) };
        let failed = |problem| Err(Error::AuthFailed { problem, reply: Some(reply.clone()) });
        match (tone, reply.code().get(), exchange.failed()) {
            (Tone::GoOn, 334, None) => self.opening.response = Some(exchange.respond(reply.octets())),
            (Tone::Yes, 235, None) if exchange.is_complete() => self.opening.exchange = None,
            (Tone::Yes, 235, None) => return failed(AuthError::ServerNotProved),
            (Tone::No, _, None) => return Err(Error::AuthRefused { reply: reply.clone() }),
            (Tone::No, _, Some(problem)) => return failed(problem),
            // Another code, or more than a refusal behind "*".
            _ => return Err(unexpected),
        }
        Ok(())
    }

    /// Answers the server's challenge.
    pub(super) fn respond(&mut self) {
        let Some(line) = self.opening.response.take() else { return };
        self.queue.put(line.as_bytes());
        self.queue.put(b"\r\n");
        self.in_flight.push(Expected::Reply(Verb::Auth), self.queue.mark(), line.len().saturating_add(2));
        self.note(|| Line::Command(if line == "*" { line } else { Begin::MASK.to_string() }));
    }
}

/// The commands that tell this, so far as the server has asked for it
/// (Postfix: only attributes that were announced may be told).
fn announced(
    told: Option<&ClientAttributes>,
    announced: impl Iterator<Item = ClientAttribute>,
) -> VecDeque<ClientAttributes> {
    let Some(told) = told else { return VecDeque::new() };
    let announced: Vec<_> = announced.collect();
    let asked = told.iter().filter(|(attribute, _)| announced.contains(attribute)).cloned();
    ClientAttributes::new(asked).map_or_else(|_| VecDeque::new(), |asked| asked.split(ClientAttributes::LINE).collect())
}

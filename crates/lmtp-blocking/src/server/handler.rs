//! What an application that receives mail writes.

use std::error::Error;

use lmtp_proto::Reply;
use lmtp_proto::auth::{Identity, Mechanism};
use lmtp_proto::server::{Ending, Peer};
use lmtp_proto::value::{ClientAttributes, ForwardPath, LhloName, MailParams, MechanismName, RcptParams, ReversePath};

use super::{Message, Verdicts};

/// An application that receives mail: it makes a [`Session`] for each connection.
///
/// A function from a [`Peer`] to a session is one, for applications that serve
/// everybody.
pub trait Handler: Send + Sync + 'static {
    /// What it knows about one connection.
    type Session: Session;

    /// Whether to serve this client.
    ///
    /// # Errors
    ///
    /// The refusal to greet it with; a 421 ends the connection.
    fn connect(&self, peer: &Peer) -> Result<Self::Session, Reply>;

    /// Told that a connection is over, and what ended it if it did not end as it
    /// should: for a log.
    #[expect(unused_variables, reason = "parameters have names for those who implement this")]
    fn ended(&self, peer: &Peer, error: Option<&(dyn Error + 'static)>) {}
}

impl<F, S> Handler for F
where
    F: Fn(&Peer) -> S + Send + Sync + 'static,
    S: Session,
{
    type Session = S;

    fn connect(&self, peer: &Peer) -> Result<S, Reply> {
        Ok(self(peer))
    }
}

/// One connection, as the application sees it. Each method has a safe default,
/// with which no message is taken for anybody.
///
/// The methods that decide give `Ok` for yes, and for no the refusal: a 4yz or a
/// 5yz, of which 421 ends the connection. They are called one at a time, in the
/// order in which the client speaks.
///
/// # What the application need not fear
///
/// The client always gets its reply for each command and each accepted recipient.
/// A method that takes longer than
/// [`Timeouts::handler`](lmtp_proto::Timeouts::handler), or panics, is answered 451
/// for, and the connection is closed at the next safe place. A thread cannot be
/// stopped from outside: one that is stuck keeps its place among
/// [`Server::max_connections`](super::Server::max_connections) until it returns.
#[expect(unused_variables, reason = "parameters have names for those who implement this")]
pub trait Session: Send + 'static {
    /// Whether to go on with a client of that name; by default, yes. It may be asked
    /// again, and behind STARTTLS it is.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn lhlo(&mut self, name: &LhloName) -> Result<(), Reply> {
        Ok(())
    }

    /// Whether to take mail from that sender; by default, yes. It begins a message.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn mail(&mut self, from: &ReversePath, params: &MailParams) -> Result<(), Reply> {
        Ok(())
    }

    /// Whether to take mail for that recipient; by default, no: 550 5.1.1. Who has a
    /// yes has the next place in the message's envelope.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn rcpt(&mut self, to: &ForwardPath, params: &RcptParams) -> Result<(), Reply> {
        Err(Reply::no_such_user())
    }

    /// Whether to read the content, now that the envelope is known; by default, yes.
    ///
    /// # Errors
    ///
    /// The refusal, which stands for all recipients.
    fn data(&mut self) -> Result<(), Reply> {
        Ok(())
    }

    /// Takes a message and gives a verdict for each of its recipients; by default
    /// 451 4.3.0 for everybody.
    ///
    /// It begins with the content, which streams in through
    /// [`Message::body`]. A verdict leaves as soon as the content is whole and the
    /// recipients before have theirs; recipients without one get 451 when `verdicts`
    /// is dropped, or [`Timeouts::verdict`](lmtp_proto::Timeouts::verdict) is over.
    ///
    /// Body and verdicts may be moved to threads of their own. The client's next
    /// message waits for the return of this method.
    fn deliver(&mut self, message: Message, verdicts: Verdicts) {
        verdicts.give_rest(&Reply::try_again_later());
    }

    /// Told how a message ended, behind [`deliver`](Self::deliver) if it came to
    /// that. Whatever was kept for it since [`mail`](Self::mail) can go.
    fn over(&mut self, ending: &Ending) {}

    /// Told that the stream is encrypted now (STARTTLS), with all that is known of
    /// the peer. What was heard before may have been anybody's
    /// (RFC 3207 section 4.2). With TLS from the start, [`Handler::connect`] knows
    /// already.
    fn secured(&mut self, peer: &Peer) {}

    /// The mechanism by which a client wants to authenticate itself; by default there
    /// is none, and AUTH is refused. It is asked for mechanisms that are offered
    /// only.
    fn mechanism(&mut self, name: &MechanismName) -> Option<Box<dyn Mechanism>> {
        None
    }

    /// Told whom the client has proved to be.
    fn authenticated(&mut self, identity: &Identity) {}

    /// Whether to believe what XCLIENT says of the client's client; by default, no:
    /// 550 5.7.1. It is asked only where XCLIENT is offered.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn xclient(&mut self, attributes: &ClientAttributes) -> Result<(), Reply> {
        Err(Reply::refused())
    }

    /// Whether to believe what XFORWARD says of the next message's origin; by
    /// default, no: 550 5.7.1. It is asked only where XFORWARD is offered.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn xforward(&mut self, attributes: &ClientAttributes) -> Result<(), Reply> {
        Err(Reply::refused())
    }

    /// Told the name that TRACE gave to what follows (Cyrus), where it is offered.
    fn trace(&mut self, name: &str) {}
}

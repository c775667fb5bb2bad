//! The client's side of LMTP on one page: (state, input) -> (state, action).
//!
//! The table knows no octet, no buffer and no clock. It speaks of one command
//! at a time; pipelining is the table run ahead on the assumption that every
//! answer is a yes ([`following`]).

use crate::value::{ReplyClass, Verb};

/// What is known of the session from the replies that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The greeting is awaited.
    Greeting,
    /// The reply to LHLO is awaited.
    Lhlo,
    /// LHLO was answered; what is said before the first message is decided.
    Opening,
    /// The reply to STARTTLS is awaited.
    StartTls,
    /// The stream is being encrypted.
    Tls,
    /// The reply to XCLIENT is awaited.
    Xclient,
    /// The next step of AUTH is awaited.
    Auth,
    /// The reply to XFORWARD or TRACE is awaited, whatever it is.
    Courtesy,
    /// No transaction is open.
    Ready,
    /// No transaction is open here, but perhaps at the server: RSET comes first.
    NeedsReset,
    /// The reply to RSET is awaited, a transaction is to follow.
    Resetting,
    /// The reply to RSET is awaited, and nothing is to follow.
    Clearing,
    /// The reply to MAIL is awaited.
    Sender,
    /// A reply to RCPT is awaited, or the next recipient.
    Recipients {
        /// Whether one was accepted.
        accepted: bool,
    },
    /// The reply to DATA is awaited.
    Data,
    /// MAIL was refused. What else was sent ahead is still answered.
    Refused,
    /// Every RCPT was refused. What else was sent ahead is still answered.
    NoRecipients,
    /// The content is on its way, behind DATA.
    Content,
    /// The content is on its way in chunks, each with a reply (RFC 3030).
    Chunks,
    /// The message was given up, before its content or between two chunks. What
    /// was sent is still answered.
    GivenUp,
    /// A final reply is awaited.
    Finals,
    /// The reply to QUIT is awaited.
    Quitting,
    /// Nothing is awaited and nothing will be said.
    Over,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// This is said next: before the session is open, or where the application
    /// goes step by step.
    Say(Verb),
    /// Nothing is left to be said before the session is open.
    Opened,
    /// The stream is encrypted.
    Encrypted,
    /// A message is to be sent.
    Begin,
    /// The greeting.
    Greeting(Tone),
    /// The reply to a command other than RCPT.
    Reply(Verb, Tone),
    /// The reply to a RCPT.
    Recipient(Tone, Next),
    /// The content is complete.
    ContentEnds,
    /// The message is given up.
    GiveUp,
    /// The reply to a chunk that is not the last, and whether other chunks were
    /// sent behind it.
    Chunk(Tone, More),
    /// A recipient's reply after the content.
    Final(Tone, More),
    /// Every command that was sent has its reply.
    Drained,
    /// The session is to end.
    Quit,
}

/// The kind of a reply, as far as it decides what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// 2yz.
    Yes,
    /// 3yz.
    GoOn,
    /// 4yz and 5yz.
    No,
}

impl From<ReplyClass> for Tone {
    fn from(class: ReplyClass) -> Self {
        match class {
            ReplyClass::PositiveCompletion => Self::Yes,
            ReplyClass::PositiveIntermediate => Self::GoOn,
            ReplyClass::TransientNegative | ReplyClass::PermanentNegative => Self::No,
        }
    }
}

/// What comes after a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Another one.
    Rcpt,
    /// DATA.
    Data,
    /// The first BDAT.
    Bdat,
}

/// Whether others follow, or it is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum More {
    /// Others follow.
    Follow,
    /// It is the last.
    Last,
}

/// What the client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing.
    Wait,
    /// Sends the command, if it was not sent ahead.
    Send(Verb),
    /// Decides what is said next, before the session is open.
    Decide,
    /// Has the stream encrypted.
    WrapStream,
    /// Answers the challenge of AUTH.
    Respond,
    /// Tells that the session is open.
    Open,
    /// Asks for the content.
    AskForContent,
    /// The end of the data or the last chunk has left: expects a final reply for
    /// each accepted recipient.
    ExpectFinals,
    /// Sends the end of the data where no recipient is left, and closes
    /// (RFC 2920 section 3.1).
    SendLoneDot,
    /// Closes where the server wants content that nobody is to get.
    Leave,
    /// Closes where the server refused a chunk and others were sent behind it:
    /// servers differ in what they answer to those.
    GoAway,
    /// Tells that every recipient has its answer.
    Finish,
    /// Tells that RSET was answered.
    Cleared,
    /// Reports that the server turns the session away.
    TurnedAway,
    /// Closes.
    Close,
    /// Reports a reply that cannot be the answer, and closes.
    Violation,
}

/// The protocol.
#[rustfmt::skip]
pub const fn step(state: State, input: Input) -> (State, Action) {
    use self::{Action as A, Input as I, State as S};
    use self::{More::{Follow, Last}, Next::{Bdat, Data, Rcpt}, Tone::{GoOn, No, Yes}};
    match (state, input) {
        // The session opens (RFC 5321 section 3.1, RFC 2033 section 4.1).
        (S::Greeting, I::Greeting(Yes))                => (S::Lhlo, A::Send(Verb::Lhlo)),
        (S::Greeting, I::Greeting(No))                 => (S::Over, A::TurnedAway),
        (S::Lhlo, I::Reply(Verb::Lhlo, Yes))           => (S::Opening, A::Decide),
        (S::Lhlo, I::Reply(Verb::Lhlo, No))            => (S::Over, A::TurnedAway),
        (S::Opening, I::Opened)                        => (S::Ready, A::Open),

        // TLS, then everything anew (RFC 3207 section 4).
        (S::Opening, I::Say(Verb::StartTls))           => (S::StartTls, A::Send(Verb::StartTls)),
        (S::StartTls, I::Reply(Verb::StartTls, Yes))   => (S::Tls, A::WrapStream),
        (S::StartTls, I::Reply(Verb::StartTls, No))    => (S::Opening, A::Decide),
        (S::Tls, I::Encrypted)                         => (S::Lhlo, A::Send(Verb::Lhlo)),

        // Who the connection is for, then LHLO anew (Postfix, Dovecot).
        (S::Opening, I::Say(Verb::Xclient))            => (S::Xclient, A::Send(Verb::Xclient)),
        (S::Xclient, I::Reply(Verb::Xclient, Yes))     => (S::Opening, A::Decide),
        (S::Xclient, I::Reply(Verb::Xclient, No))      => (S::Over, A::TurnedAway),
        (S::Opening, I::Say(Verb::Lhlo))               => (S::Lhlo, A::Send(Verb::Lhlo)),

        // Who we are (RFC 4954 section 4). A refusal ends the session before it
        // comes here.
        (S::Opening, I::Say(Verb::Auth))               => (S::Auth, A::Send(Verb::Auth)),
        (S::Auth, I::Reply(Verb::Auth, GoOn))          => (S::Auth, A::Respond),
        (S::Auth, I::Reply(Verb::Auth, Yes))           => (S::Opening, A::Decide),
        (S::Auth, I::Reply(Verb::Auth, No))            => (S::Over, A::Close),

        // What is told for the server's log; nothing depends on it.
        (S::Opening, I::Say(Verb::Xforward))           => (S::Courtesy, A::Send(Verb::Xforward)),
        (S::Opening, I::Say(Verb::Trace))              => (S::Courtesy, A::Send(Verb::Trace)),
        (S::Courtesy, I::Reply(Verb::Xforward | Verb::Trace, Yes | No)) => (S::Opening, A::Decide),

        // A transaction opens (RFC 5321 section 3.3).
        (S::Ready, I::Begin)                           => (S::Sender, A::Send(Verb::Mail)),
        (S::NeedsReset, I::Begin)                      => (S::Resetting, A::Send(Verb::Rset)),
        (S::Resetting, I::Reply(Verb::Rset, Yes))      => (S::Sender, A::Send(Verb::Mail)),
        (S::Sender, I::Reply(Verb::Mail, Yes))         => (S::Recipients { accepted: false }, A::Send(Verb::Rcpt)),
        (S::Sender, I::Reply(Verb::Mail, No))          => (S::Refused, A::Wait),

        // Recipients come one by one.
        (S::Recipients { .. }, I::Recipient(Yes, Rcpt))         => (S::Recipients { accepted: true }, A::Send(Verb::Rcpt)),
        (S::Recipients { accepted }, I::Recipient(No, Rcpt))    => (S::Recipients { accepted }, A::Send(Verb::Rcpt)),
        (S::Recipients { .. }, I::Recipient(Yes, Data))
        | (S::Recipients { accepted: true }, I::Recipient(No, Data)) => (S::Data, A::Send(Verb::Data)),
        (S::Recipients { .. }, I::Recipient(Yes, Bdat))
        | (S::Recipients { accepted: true }, I::Recipient(No, Bdat)) => (S::Chunks, A::AskForContent),
        (S::Recipients { accepted: false }, I::Recipient(No, Data | Bdat)) => (S::NoRecipients, A::Wait),

        // Or when the application gives them, and then says that they are all.
        (S::Recipients { accepted }, I::Say(Verb::Rcpt))        => (S::Recipients { accepted }, A::Send(Verb::Rcpt)),
        (S::Recipients { accepted: true }, I::Say(Verb::Data))  => (S::Data, A::Send(Verb::Data)),
        (S::Recipients { accepted: true }, I::Say(Verb::Bdat))  => (S::Chunks, A::AskForContent),
        (S::Recipients { accepted: false }, I::Say(Verb::Data | Verb::Bdat)) => (S::NoRecipients, A::Wait),

        // The content, and an answer for each recipient (RFC 2033 section 4.2).
        (S::Data, I::Reply(Verb::Data, GoOn))          => (S::Content, A::AskForContent),
        (S::Data, I::Reply(Verb::Data, No))            => (S::NeedsReset, A::Finish),
        (S::Content | S::Chunks, I::ContentEnds)       => (S::Finals, A::ExpectFinals),
        (S::Finals, I::Final(Yes | No, Follow))        => (S::Finals, A::Wait),
        (S::Finals, I::Final(Yes | No, Last))          => (S::Ready, A::Finish),

        // The content in chunks (RFC 3030 section 2). A chunk that is refused
        // decides for everybody.
        (S::Chunks, I::Chunk(Yes, _))                  => (S::Chunks, A::Wait),
        (S::Finals, I::Chunk(Yes, Follow))             => (S::Finals, A::Wait),
        (S::Chunks, I::Chunk(No, Last))                => (S::NeedsReset, A::Finish),
        (S::Chunks | S::Finals, I::Chunk(No, Follow))  => (S::Over, A::GoAway),

        // A message is given up where its content has not begun, or between two
        // chunks. The answers that are due are heard.
        (S::Resetting | S::Sender | S::Recipients { .. } | S::Data | S::Chunks, I::GiveUp) => (S::GivenUp, A::Wait),
        (S::GivenUp, I::Reply(Verb::Rset, Yes) | I::Reply(Verb::Mail, Yes | No)) => (S::GivenUp, A::Wait),
        (S::GivenUp, I::Recipient(Yes | No, _) | I::Chunk(Yes | No, _)) => (S::GivenUp, A::Wait),

        // Nobody is left to send to. What was sent ahead is answered all the
        // same, and its answers are only consequences. A dot after a refused
        // MAIL might store something for somebody, so there it is not sent.
        (S::Refused, I::Recipient(Yes | No, _))        => (S::Refused, A::Wait),
        (S::Refused, I::Reply(Verb::Data, No))         => (S::Refused, A::Wait),
        (S::GivenUp, I::Reply(Verb::Data, No))         => (S::GivenUp, A::Wait),
        (S::Refused | S::GivenUp, I::Reply(Verb::Data, GoOn)) => (S::Over, A::Leave),
        (S::NoRecipients, I::Reply(Verb::Data, No))    => (S::NoRecipients, A::Wait),
        (S::NoRecipients, I::Reply(Verb::Data, GoOn))  => (S::Over, A::SendLoneDot),
        (S::Refused | S::NoRecipients | S::GivenUp, I::Drained) => (S::NeedsReset, A::Finish),

        // Whatever the server has of a transaction is to be forgotten.
        (S::Ready | S::NeedsReset, I::Say(Verb::Rset)) => (S::Clearing, A::Send(Verb::Rset)),
        (S::Clearing, I::Reply(Verb::Rset, Yes))       => (S::Ready, A::Cleared),

        // The session ends.
        (S::Ready | S::NeedsReset, I::Quit)            => (S::Quitting, A::Send(Verb::Quit)),
        (S::Quitting, I::Reply(Verb::Quit, _))         => (S::Over, A::Close),

        _                                              => (S::Over, A::Violation),
    }
}

/// The command that comes after `sent` if all goes well: what may leave in the
/// same group, ahead of the reply (RFC 2920). Behind the last final reply that is
/// what the application has asked for by `then`: another message, or QUIT.
pub const fn following(sent: Input, then: Option<Input>) -> Option<Verb> {
    let state = match sent {
        Input::Reply(Verb::Rset, _) => State::Resetting,
        Input::Reply(Verb::Mail, _) => State::Sender,
        Input::Recipient(..) => State::Recipients { accepted: true },
        Input::Final(..) => State::Finals,
        _ => return None,
    };
    match (step(state, sent), then) {
        ((_, Action::Send(verb)), _) => Some(verb),
        ((next, Action::Finish), Some(then)) => match step(next, then).1 {
            Action::Send(verb) => Some(verb),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;

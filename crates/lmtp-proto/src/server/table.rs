//! The server's side of LMTP on one page: (state, input) -> (state, action).
//!
//! The table knows no octet, no buffer and no clock. A command first becomes a
//! question, and its answer is an input of its own; what the machine decides
//! alone it answers alone. What a command *says* (its parameters, the limits) is
//! not the table's business, only when it may be said.
//!
//! Three rules stand outside, each refusing a command and changing no state: 530
//! until there is TLS or AUTH where one is required, 502 for what is not offered,
//! and 503 for the DATA of a BINARYMIME message (RFC 3030 section 3). And a 421
//! may end the session anywhere.

use crate::value::Verb;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing has been said: whether to serve this client is asked.
    Connected,
    /// The greeting was a refusal: only QUIT is of use (RFC 5321 section 3.1).
    TurnedAway,
    /// LHLO is awaited.
    Greeted,
    /// No transaction is open.
    Ready,
    /// MAIL was accepted, no recipient yet.
    Sender,
    /// At least one recipient was accepted.
    Recipients,
    /// The content is coming in, and ends with a dot.
    Content,
    /// A chunk was accepted and was not the last (RFC 3030).
    Chunks,
    /// A chunk was refused: the message is lost, its other chunks are read and
    /// dropped.
    BrokenChunks,
    /// The whole message is there: a reply for each recipient is due.
    Finals,
    /// The client authenticates itself (RFC 4954).
    Authenticating,
    /// STARTTLS was answered, TLS begins (RFC 3207).
    Securing,
    /// Nothing will be read and nothing more will be said.
    Over,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// It is decided whether this client is served.
    Greeting(Answer),
    /// The client gives a command that can be understood.
    Command(Verb),
    /// The question that a command became is answered.
    Answer(Verb, Answer),
    /// The answer to AUTH is a challenge.
    Challenge,
    /// A chunk that is not the last was read.
    Chunk(Answer),
    /// The last chunk was read.
    LastChunk,
    /// The end of the data was read.
    EndOfData,
    /// Each accepted recipient has its reply.
    Answered,
    /// TLS is there.
    Secured,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// With 2yz, or 354 for DATA.
    Yes,
    /// With 4yz or 5yz.
    No,
}

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Asks the application.
    Ask,
    /// Gives the answer that was decided on.
    Reply,
    /// Gives the answer, and forgets the transaction if there is one.
    ReplyAndReset,
    /// Answers alone: NOOP, VRFY, EXPN, HELP.
    Serve,
    /// Reads the octets of the chunk.
    TakeChunk,
    /// Reads the octets of the chunk and drops them, then 503.
    DropChunk,
    /// Releases the verdicts in the order of the recipients.
    Release,
    /// Forgets the transaction; nothing is said.
    Reset,
    /// 503: LHLO comes first.
    LhloFirst,
    /// 503: it cannot be said now.
    NotNow,
    /// 221, and closes.
    Leave,
    /// Nothing: this cannot happen.
    Impossible,
}

/// The protocol.
#[rustfmt::skip]
pub const fn step(state: State, input: Input) -> (State, Action) {
    use self::{Action as A, Input as I, State as S, Verb as V};
    use self::Answer::{No, Yes};
    match (state, input) {
        // The session opens (RFC 5321 section 3.1).
        (S::Connected, I::Greeting(Yes))                    => (S::Greeted, A::Reply),
        (S::Connected, I::Greeting(No))                     => (S::TurnedAway, A::Reply),

        // Nothing can be said while something else is under way.
        (S::Connected | S::Content | S::Finals | S::Authenticating | S::Securing | S::Over, I::Command(_) | I::Answer(V::Lhlo, _)) => (S::Over, A::Impossible),
        (S::TurnedAway, I::Answer(..))                      => (S::Over, A::Impossible),

        // At any time (RFC 5321 section 4.1.1).
        (_, I::Command(V::Quit))                            => (S::Over, A::Leave),
        (S::TurnedAway | S::Greeted | S::Ready, I::Command(V::Bdat)) => (state, A::DropChunk),
        (S::TurnedAway, I::Command(_))                      => (S::TurnedAway, A::NotNow),
        (state, I::Command(V::Noop | V::Vrfy | V::Expn | V::Help)) => (state, A::Serve),
        (S::Greeted, I::Command(V::Rset))                   => (S::Greeted, A::ReplyAndReset),
        (_, I::Command(V::Rset))                            => (S::Ready, A::ReplyAndReset),
        (state, I::Command(V::Lhlo))                        => (state, A::Ask),
        (_, I::Answer(V::Lhlo, Yes))                        => (S::Ready, A::ReplyAndReset),
        (state, I::Answer(V::Lhlo, No))                     => (state, A::Reply),
        (S::Greeted, I::Command(_))                         => (S::Greeted, A::LhloFirst),

        // Between transactions.
        (S::Ready, I::Command(V::Mail | V::Auth | V::StartTls | V::Xclient | V::Xforward | V::Trace)) => (S::Ready, A::Ask),
        (S::Ready, I::Answer(V::Mail, Yes))                 => (S::Sender, A::Reply),
        (S::Ready | S::Authenticating, I::Challenge)        => (S::Authenticating, A::Reply),
        (S::Ready | S::Authenticating, I::Answer(V::Auth, _)) => (S::Ready, A::Reply),
        (S::Ready, I::Answer(V::StartTls, Yes))             => (S::Securing, A::Reply),
        (S::Ready, I::Answer(V::Xclient, Yes))              => (S::Greeted, A::ReplyAndReset),
        (S::Ready, I::Answer(V::Xforward | V::Trace, Yes))  => (S::Ready, A::Reply),
        (S::Ready, I::Answer(V::Mail | V::StartTls | V::Xclient | V::Xforward | V::Trace, No)) => (S::Ready, A::Reply),
        (S::Securing, I::Secured)                           => (S::Greeted, A::Reset),

        // Recipients come one by one.
        (S::Sender | S::Recipients, I::Command(V::Rcpt))    => (state, A::Ask),
        (S::Sender | S::Recipients, I::Answer(V::Rcpt, Yes)) => (S::Recipients, A::Reply),
        (S::Sender | S::Recipients, I::Answer(V::Rcpt, No)) => (state, A::Reply),

        // The content, only when somebody is to get it (RFC 2033 section 4.2).
        (S::Recipients, I::Command(V::Data))                => (S::Recipients, A::Ask),
        (S::Recipients, I::Answer(V::Data, Yes))            => (S::Content, A::Reply),
        (S::Recipients, I::Answer(V::Data, No))             => (S::Ready, A::ReplyAndReset),
        (S::Content, I::EndOfData)                          => (S::Finals, A::Release),

        // The content in chunks (RFC 3030, RFC 2033 section 4.3).
        (S::Recipients, I::Command(V::Bdat))                => (S::Recipients, A::Ask),
        (S::Recipients, I::Answer(V::Bdat, _)) | (S::Chunks, I::Command(V::Bdat)) => (state, A::TakeChunk),
        (S::Recipients | S::Chunks, I::Chunk(Yes))          => (S::Chunks, A::Reply),
        (S::Recipients | S::Chunks, I::Chunk(No))           => (S::BrokenChunks, A::Reply),
        (S::Sender | S::BrokenChunks, I::Command(V::Bdat))  => (S::BrokenChunks, A::DropChunk),
        (S::Recipients | S::Chunks | S::BrokenChunks, I::LastChunk) => (S::Finals, A::Release),

        // Each recipient has its answer.
        (S::Finals, I::Answered)                            => (S::Ready, A::Reset),

        (state, I::Command(_))                              => (state, A::NotNow),
        _                                                   => (S::Over, A::Impossible),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_TRANSACTION: [State; 4] = [State::Sender, State::Recipients, State::Chunks, State::BrokenChunks];
    const COMMAND_STATES: [State; 7] = [
        State::TurnedAway,
        State::Greeted,
        State::Ready,
        State::Sender,
        State::Recipients,
        State::Chunks,
        State::BrokenChunks,
    ];

    /// Every cell: 13 states by 57 inputs.
    #[test]
    fn every_cell_keeps_the_rules() {
        let mut possible = 0;
        for state in State::ALL {
            for input in Input::all() {
                let (next, action) = step(state, input);
                let cell = (state, input, next, action);
                if action == Action::Impossible {
                    assert_eq!(next, State::Over, "{cell:?}");
                    continue;
                }
                possible += 1;
                assert_ne!(state, State::Over, "{cell:?}");
                // 354 only where a recipient was accepted, and content only behind it.
                if next == State::Content {
                    assert_eq!((state, input), (State::Recipients, Input::Answer(Verb::Data, Answer::Yes)), "{cell:?}");
                }
                // A recipient is accepted in a transaction only, and by its own answer.
                if next == State::Recipients && state != next {
                    assert_eq!((state, input), (State::Sender, Input::Answer(Verb::Rcpt, Answer::Yes)), "{cell:?}");
                }
                // A transaction begins with the answer to MAIL, behind LHLO.
                if IN_TRANSACTION.contains(&next) && !IN_TRANSACTION.contains(&state) {
                    assert_eq!((state, input), (State::Ready, Input::Answer(Verb::Mail, Answer::Yes)), "{cell:?}");
                }
                // It ends with everybody answered, or forgotten aloud.
                if state != State::Finals
                    && IN_TRANSACTION.contains(&state)
                    && matches!(next, State::Ready | State::Greeted)
                {
                    assert_eq!(action, Action::ReplyAndReset, "{cell:?}");
                }
                // Nothing that is refused for its order changes the state (RFC 5321 section 4.1.4).
                if matches!(action, Action::NotNow | Action::LhloFirst) {
                    assert_eq!(state, next, "{cell:?}");
                }
                // The octets of a chunk are read wherever BDAT is said.
                if input == Input::Command(Verb::Bdat) {
                    assert!(matches!(action, Action::Ask | Action::TakeChunk | Action::DropChunk), "{cell:?}");
                }
            }
        }
        assert_eq!(possible, 160, "a row was added or lost: think, then count again");
    }

    /// Every command is answered in every state that reads commands.
    #[test]
    fn every_command_has_its_answer() {
        for state in COMMAND_STATES {
            for &verb in Verb::ALL {
                assert_ne!(step(state, Input::Command(verb)).1, Action::Impossible, "{verb} in {state:?}");
            }
        }
    }

    /// When each command may be said, verb by verb: one that is let fall is not only refused.
    #[test]
    fn every_command_is_served_where_it_may_be_said() {
        use {Action as A, State as S, Verb as V};
        for state in COMMAND_STATES {
            for &verb in V::ALL {
                let (next, action) = step(state, Input::Command(verb));
                let expected = match (verb, state) {
                    (V::Quit, _) => A::Leave,
                    (V::Bdat, S::Recipients) => A::Ask,
                    (V::Bdat, S::Chunks) => A::TakeChunk,
                    (V::Bdat, _) => A::DropChunk,
                    (_, S::TurnedAway) => A::NotNow,
                    (V::Noop | V::Vrfy | V::Expn | V::Help, _) => A::Serve,
                    (V::Rset, _) => A::ReplyAndReset,
                    (V::Lhlo, _)
                    | (V::Rcpt, S::Sender | S::Recipients)
                    | (V::Data, S::Recipients)
                    | (V::Mail | V::Auth | V::StartTls | V::Xclient | V::Xforward | V::Trace, S::Ready) => A::Ask,
                    (_, S::Greeted) => A::LhloFirst,
                    _ => A::NotNow,
                };
                assert_eq!(action, expected, "{verb} in {state:?}");
                let stays = match (verb, state) {
                    (V::Quit, _) => S::Over,
                    // Before LHLO there is nothing to go back to (RFC 5321 section 4.1.4).
                    (V::Rset, S::TurnedAway | S::Greeted) => state,
                    (V::Rset, _) => S::Ready,
                    (V::Bdat, S::Sender) => S::BrokenChunks,
                    _ => state,
                };
                assert_eq!(next, stays, "{verb} in {state:?}");
            }
        }
    }

    /// Whatever is asked can be answered both ways.
    #[test]
    fn every_question_has_both_answers() {
        for state in COMMAND_STATES {
            for &verb in Verb::ALL {
                if step(state, Input::Command(verb)).1 == Action::Ask {
                    for answer in [Answer::Yes, Answer::No] {
                        let action = step(state, Input::Answer(verb, answer)).1;
                        assert_ne!(action, Action::Impossible, "{verb} in {state:?}, {answer:?}");
                    }
                }
            }
        }
    }
}

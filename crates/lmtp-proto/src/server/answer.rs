//! What the application answers, and what becomes of it.

use alloc::format;

use super::question::{Ask, Pending, Question};
use super::say::{self, Canned, Said};
use super::table::{Action, Answer, Input};
use super::transaction::{Body, Transaction};
use super::{BareNewlines, Ending, Server, Session, Stale};
use crate::TransactionId;
use crate::auth::{self, AuthError, Identity, Mechanism, Step};
use crate::client::Line;
use crate::codec::encode_reply;
use crate::value::{AuthResponse, Reply, ReplyCode, Verb};

/// Questions are taken by value, so that none is answered twice.
#[expect(clippy::needless_pass_by_value, reason = "an answered question is gone")]
impl Server {
    /// Answers a question with yes, in the machine's own words.
    ///
    /// # Errors
    ///
    /// It has been answered for the application, which took too long.
    pub fn accept(&mut self, question: Question) -> Result<(), Stale> {
        self.resolve(question, Ok(())).map(drop)
    }

    /// How the machine says yes.
    fn words(pending: &Pending) -> Canned {
        match pending {
            Pending::Mail { .. } => Canned::SENDER,
            Pending::Rcpt => Canned::RECIPIENT,
            Pending::Data => Canned::GO_ON,
            // Who has proved to be whom must be said: see `authenticated`.
            Pending::Auth => Canned::INTERNAL,
            _ => Canned::OK,
        }
    }

    /// Answers a question: 2yz is yes, 4yz and 5yz are no, and 421 ends the
    /// session. A 3yz is taken for 451, but for the 354 that is a yes to
    /// [`Ask::Data`], however the content comes.
    ///
    /// The yes to a connection is the greeting, 220 whatever its code, and should
    /// begin with the server's name. The yes to LHLO is said in the machine's own
    /// words. A 5yz to AUTH counts among the client's errors.
    ///
    /// # Errors
    ///
    /// It has been answered for the application, which took too long.
    pub fn answer(&mut self, question: Question, reply: Reply) -> Result<(), Stale> {
        let pending = self.take(&question)?;
        let said = match (reply.code().get(), &pending) {
            // A yes to AUTH says who it is: see `authenticated`.
            (200..300, Pending::Auth) => Said::Canned(Canned::INTERNAL),
            (200..300 | 354, Pending::Data | Pending::Bdat { .. }) => Said::Canned(Canned::GO_ON),
            (300..400, _) => Said::Canned(Canned::INTERNAL),
            _ => Said::Reply(reply),
        };
        self.decide(pending, &said);
        Ok(())
    }

    /// Answers a question with yes, in the machine's own words, or with a refusal;
    /// one that is none, but 2yz or 3yz, is taken for 451. Gives back what was
    /// asked.
    ///
    /// # Errors
    ///
    /// It has been answered for the application, which took too long.
    pub fn resolve(&mut self, question: Question, decision: Result<(), Reply>) -> Result<Ask, Stale> {
        let pending = self.take(&question)?;
        let said = match decision {
            Ok(()) => Said::Canned(Self::words(&pending)),
            Err(refusal) if refusal.code().get() < 400 => Said::Canned(Canned::INTERNAL),
            Err(refusal) => Said::Reply(refusal),
        };
        self.decide(pending, &said);
        Ok(question.into_ask())
    }

    /// Whether a question still waits for its answer.
    pub fn is_open(&self, question: &Question) -> bool {
        self.open.as_ref().is_some_and(|open| open.number == question.number)
    }

    /// Answers AUTH, or a response of the client, with a challenge.
    ///
    /// # Errors
    ///
    /// The question was another, or has been answered for the application.
    pub fn challenge(&mut self, question: Question, challenge: &[u8]) -> Result<(), Stale> {
        let Pending::Auth = self.take_if(&question, |pending| *pending == Pending::Auth)? else { return Err(Stale) };
        self.take_step(Input::Challenge);
        self.queue.put(b"334 ");
        self.queue.put(auth::encode_line(challenge).as_bytes());
        self.queue.put(b"\r\n");
        self.note(|| Line::Reply(Reply::from_parts(ReplyCode::CHALLENGE, None, b"***")));
        Ok(())
    }

    /// Answers AUTH, or a response of the client, with 235: that is who it is.
    ///
    /// # Errors
    ///
    /// The question was another, or has been answered for the application.
    pub fn authenticated(&mut self, question: Question, identity: Identity) -> Result<(), Stale> {
        self.take_if(&question, |pending| *pending == Pending::Auth)?;
        self.take_step(Input::Answer(Verb::Auth, Answer::Yes));
        self.session.identity = Some(identity);
        self.say(&Said::Canned(Canned::AUTHENTICATED));
        Ok(())
    }

    /// Hands what the client says to a mechanism, and its answer to the client.
    ///
    /// # Errors
    ///
    /// The question was another, or has been answered for the application.
    pub fn authenticate(&mut self, question: Question, mechanism: &mut dyn Mechanism) -> Result<(), Stale> {
        let step = match question.ask() {
            Ask::Auth(_, initial) => mechanism.step(initial.as_ref().map(AuthResponse::as_bytes)),
            Ask::AuthResponse(response) => mechanism.step(Some(response.as_bytes())),
            _ => return Err(Stale),
        };
        match step {
            Ok(Step::Say(challenge)) => self.challenge(question, &challenge),
            Ok(Step::Listen) => self.challenge(question, b""),
            Ok(Step::Done(identity)) => self.authenticated(question, identity),
            Err(AuthError::Malformed | AuthError::TooManySteps) => self.answer(question, Canned::BAD_RESPONSE.reply()),
            Err(AuthError::Aborted) => self.answer(question, Canned::AUTH_ABORTED.reply()),
            Err(AuthError::Unavailable) => self.answer(question, Canned::CANNOT_CHECK.reply()),
            Err(_) => self.answer(question, Canned::BAD_CREDENTIALS.reply()),
        }
    }

    fn take(&mut self, question: &Question) -> Result<Pending, Stale> {
        self.take_if(question, |_| true)
    }

    fn take_if(&mut self, question: &Question, fits: impl Fn(&Pending) -> bool) -> Result<Pending, Stale> {
        let open = self.open.take_if(|open| open.number == question.number && fits(&open.pending));
        open.map(|open| open.pending).ok_or(Stale)
    }

    /// A question is answered.
    pub(super) fn decide(&mut self, pending: Pending, said: &Said) {
        if said.code() == ReplyCode::CLOSING.get() {
            self.say(said);
            return self.end(None);
        }
        let answer = if said.code() < 400 { Answer::Yes } else { Answer::No };
        match pending {
            Pending::Connect => {
                self.take_step(Input::Greeting(answer));
                self.greet(said);
            }
            Pending::Lhlo(name) => {
                if self.settle(Verb::Lhlo, answer) {
                    self.session.lhlo = Some(name);
                    self.announce();
                } else {
                    self.say(said);
                }
            }
            Pending::Mail { binary, utf8 } => {
                if self.settle(Verb::Mail, answer) {
                    let TransactionId(next) = self.next_transaction;
                    let id = TransactionId(next.saturating_sub(1));
                    self.transaction = Some(Transaction::new(id, binary, utf8));
                }
                self.say(said);
            }
            Pending::Rcpt => {
                if self.settle(Verb::Rcpt, answer) {
                    self.verdicts.push();
                }
                self.say(said);
            }
            Pending::Data => {
                self.say(said);
                if self.settle(Verb::Data, answer)
                    && let Some(transaction) = &mut self.transaction
                {
                    transaction.body = Body::stuffed(self.config.bare_newlines);
                }
            }
            Pending::Bdat { size, last } => {
                if let Some(transaction) = &mut self.transaction {
                    let newlines = if transaction.binary { BareNewlines::Keep } else { self.config.bare_newlines };
                    transaction.body = Body::chunked(newlines);
                }
                if let (Answer::No, Said::Reply(reply)) = (answer, said) {
                    self.refuse_message(reply.clone());
                } else if let (Answer::No, Said::Canned(words)) = (answer, said) {
                    self.refuse_message(words.reply());
                }
                self.take_step(Input::Answer(Verb::Bdat, answer));
                self.begin_chunk(size, last);
            }
            Pending::Auth => {
                self.settle(Verb::Auth, answer);
                // Whoever guesses is not to guess for ever.
                if said.code() < 500 { self.say(said) } else { self.refuse_with(said) }
            }
            Pending::Xclient => {
                if self.settle(Verb::Xclient, answer) {
                    self.session = Session { secured: self.session.secured, ..Session::default() };
                    self.greet(&Said::Canned(Canned::OK));
                } else {
                    self.say(said);
                }
            }
            Pending::Xforward => {
                self.settle(Verb::Xforward, answer);
                self.say(said);
            }
        }
    }

    /// Takes the step of an answer; whether it is a yes.
    fn settle(&mut self, verb: Verb, answer: Answer) -> bool {
        if self.take_step(Input::Answer(verb, answer)) == Action::ReplyAndReset {
            self.forget_transaction(Ending::Abandoned);
        }
        answer == Answer::Yes
    }

    /// The greeting, which names the server (RFC 5321 section 4.2).
    fn greet(&mut self, said: &Said) {
        match said {
            Said::Canned(words) if !words.is_refusal() => {
                let text = format!("{} LMTP ready", self.config.name);
                self.say_plain(&Reply::from_parts(ReplyCode::READY, None, text.as_bytes()));
            }
            Said::Reply(reply) if reply.code().is_success() => {
                let text = say::fit(reply, false);
                self.say_plain(&Reply::from_parts(ReplyCode::READY, None, text.octets()));
            }
            refusal => self.say(refusal),
        }
    }

    /// The reply to LHLO, one extension a line (RFC 5321 section 4.1.1.1).
    fn announce(&mut self) {
        let lines = self.config.offer.lines(&self.config.limits, self.session.secured);
        let text = format!("{}\n{}", self.config.name, lines.join("\n"));
        self.say_plain(&Reply::from_parts(ReplyCode::OK, None, text.as_bytes()));
    }

    /// Greeting and reply to LHLO go without an enhanced code (RFC 2034
    /// section 4).
    fn say_plain(&mut self, reply: &Reply) {
        encode_reply(reply, &mut self.queue);
        self.note(|| Line::Reply(reply.clone()));
    }
}

//! What the client says, and what becomes of it.

use alloc::string::{String, ToString};

use super::lines::CommandLines;
use super::params;
use super::question::{Ask, Open, Pending, Question};
use super::say::{self, Canned, Said};
use super::table::{Action, Answer, Input, State};
use super::{Ending, Error, Event, Require, Server};
use crate::auth::{self, AuthError};
use crate::client::Line;
use crate::codec::{encode_reply, parse_command};
use crate::text::Escaped;
use crate::value::{AuthResponse, ClientAttribute, ClientAttributes, Command, MailParams, ReversePath, Verb};
use crate::{CommandError, RecipientId, TransactionId};

impl Server {
    /// Takes the line at the front of the input, of so many octets before its
    /// CRLF. It is read where it stands, and copied by nobody.
    pub(super) fn hear(&mut self, length: usize) {
        let line = self.input.get(..length).unwrap_or_default();
        if self.state == State::Authenticating {
            let response = match auth::decode_line(line) {
                Ok(response) => Ok(AuthResponse::new(response)),
                Err(AuthError::Aborted) => Err(Canned::AUTH_ABORTED),
                Err(_) => Err(Canned::BAD_BASE64),
            };
            CommandLines::drop_line(&mut self.input, length);
            self.note(|| Line::Command("***".into()));
            return self.hear_response(response);
        }
        let parsed = parse_command(line);
        let verb = parsed.as_ref().map_or_else(CommandError::verb, |command| Some(command.verb()));
        self.heard_auth |= verb == Some(Verb::Auth);
        let may_be_secret = self.heard_auth || !self.config.offer.auth.is_empty();
        let is_shown = parsed.is_err() && self.config.transcript;
        let nonsense = if is_shown { shown(line, verb, may_be_secret) } else { String::new() };
        CommandLines::drop_line(&mut self.input, length);
        self.count(verb);
        match parsed {
            Ok(command) => {
                self.note(|| Line::Command(command.to_string()));
                self.command(command);
            }
            Err(error) => {
                self.note(|| Line::Command(nonsense));
                if verb == Some(Verb::Bdat) {
                    return self.lose_chunk();
                }
                self.refuse_with(&Said::Reply(error.reply()));
            }
        }
    }

    /// Takes note of a line that was dropped, whether it was to be a command, a
    /// BDAT perhaps, or a response in an AUTH exchange.
    pub(super) fn hear_bad_line(&mut self, bdat: bool, command: Canned, response: Canned) {
        self.note(|| Line::Command("<a line that was dropped>".into()));
        if self.state == State::Authenticating {
            self.refuse_response(response);
        } else if bdat {
            self.lose_chunk();
        } else {
            self.refuse(command);
        }
    }

    /// Counts what LIMITS counts: commands, whatever becomes of them (RFC 9422
    /// sections 4.1 and 4.2).
    fn count(&mut self, verb: Option<Verb>) {
        match (verb, &mut self.transaction) {
            (Some(Verb::Mail), _) => self.mails = self.mails.saturating_add(1),
            (Some(Verb::Rcpt), Some(transaction)) => transaction.rcpts = transaction.rcpts.saturating_add(1),
            _ => {}
        }
    }

    fn command(&mut self, command: Command) {
        let verb = command.verb();
        let blocked = self.not_yet(verb);
        if let Command::Bdat { size, last } = command {
            let offered = self.config.offer.chunking;
            if let Some(words) = blocked.or((!offered).then_some(Canned::NOT_OFFERED)) {
                return self.drop_chunk(size, last, words);
            }
            let action = self.take_step(Input::Command(Verb::Bdat));
            return match action {
                Action::Ask => self.ask_about_content(Pending::Bdat { size, last }),
                action => self.hear_chunk(action, size, last),
            };
        }
        if let Some(words) = blocked {
            return self.say(&Said::Canned(words));
        }
        match self.take_step(Input::Command(verb)) {
            Action::Ask => self.consider(command),
            Action::Serve => self.serve(verb),
            Action::ReplyAndReset => {
                self.forget_transaction(Ending::Abandoned);
                self.say(&Said::Canned(Canned::OK));
            }
            Action::Leave => self.close(Canned::BYE, None),
            Action::LhloFirst => self.say(&Said::Canned(Canned::LHLO_FIRST)),
            // A consequence, as often as not, of what was refused before in the
            // same group: no error of its own.
            _ => self.say(&Said::Canned(match self.state {
                State::TurnedAway => Canned::TURNED_AWAY,
                State::Ready => Canned::MAIL_FIRST,
                State::Sender if verb == Verb::Data => Canned::NO_RECIPIENTS,
                _ => Canned::TRANSACTION_OPEN,
            })),
        }
    }

    /// What a client that must do something else first is told.
    fn not_yet(&self, verb: Verb) -> Option<Canned> {
        match (self.config.require, verb) {
            (_, Verb::Lhlo | Verb::Noop | Verb::Rset | Verb::Quit | Verb::StartTls) => None,
            (Require::Tls, _) if !self.session.secured => Some(Canned::TLS_FIRST),
            (Require::Auth, verb) if self.session.identity.is_none() && verb != Verb::Auth => Some(Canned::AUTH_FIRST),
            _ => None,
        }
    }

    fn serve(&mut self, verb: Verb) {
        match verb {
            Verb::Help => self.say(&Said::Canned(Canned::HELP)),
            // Whom there is to be told is the business of RCPT (RFC 5321 section 7.3).
            Verb::Vrfy => self.say(&Said::Canned(Canned::CANNOT_VERIFY)),
            Verb::Expn => self.refuse(Canned::NO_LISTS),
            _ => self.say(&Said::Canned(Canned::OK)),
        }
    }

    /// Decides what can be decided here, and asks for the rest.
    fn consider(&mut self, command: Command) {
        match command {
            Command::Lhlo(name) => self.ask(Ask::Lhlo(name.clone()), Pending::Lhlo(name)),
            Command::Mail(from, params) => self.consider_mail(from, params),
            Command::Rcpt(to, params) => {
                let open = self.transaction.as_ref().map(|open| (open.id, open.utf8, open.rcpts));
                let Some((id, utf8, rcpts)) = open else { return };
                if let Err(words) = params::rcpt(&to, &params, &self.config.offer, utf8) {
                    return self.refuse_params(words);
                }
                // The application is not asked of a message that is refused.
                if let Some(refused) = self.refused() {
                    return self.decide(Pending::Rcpt, &refused);
                }
                match u32::try_from(self.verdicts.len()) {
                    Ok(place) if rcpts <= self.config.limits.rcpt_max() => {
                        self.ask(Ask::Rcpt(id, RecipientId(place), to, params), Pending::Rcpt);
                    }
                    _ => self.say(&Said::Canned(Canned::TOO_MANY_RECIPIENTS)),
                }
            }
            Command::Data if self.transaction.as_ref().is_some_and(|open| open.binary) => {
                self.refuse(Canned::BINARY_NEEDS_BDAT);
            }
            Command::Data => self.ask_about_content(Pending::Data),
            Command::StartTls => self.consider_tls(),
            Command::Auth(mechanism, initial) => {
                let offered = |name| self.config.offer.mechanisms(self.session.secured).any(|offer| offer == name);
                let refusal = [
                    (self.config.offer.auth.is_empty(), Canned::NOT_OFFERED),
                    (self.session.identity.is_some(), Canned::ALREADY_AUTHENTICATED),
                    (!offered(&mechanism), Canned::NO_MECHANISM),
                ];
                match refusal.into_iter().find(|(refused, _)| *refused) {
                    Some((_, words)) => self.refuse(words),
                    None => self.ask(Ask::Auth(mechanism, initial), Pending::Auth),
                }
            }
            Command::Xclient(_) if self.config.offer.xclient.is_empty() => self.refuse(Canned::NOT_TRUSTED),
            Command::Xclient(attributes) if !offers(&self.config.offer.xclient, &attributes) => {
                self.refuse(Canned::UNKNOWN_ATTRIBUTE);
            }
            Command::Xclient(attributes) => self.ask(Ask::Xclient(attributes), Pending::Xclient),
            Command::Xforward(_) if self.config.offer.xforward.is_empty() => self.refuse(Canned::NOT_TRUSTED),
            Command::Xforward(attributes) if !offers(&self.config.offer.xforward, &attributes) => {
                self.refuse(Canned::UNKNOWN_ATTRIBUTE);
            }
            Command::Xforward(attributes) => self.ask(Ask::Xforward(attributes), Pending::Xforward),
            Command::Trace(name) if self.config.offer.trace => {
                self.events.push_back(Event::Trace(name.as_str().into()));
                self.take_step(Input::Answer(Verb::Trace, Answer::Yes));
                self.say(&Said::Canned(Canned::OK));
            }
            _ => self.refuse(Canned::NOT_OFFERED),
        }
    }

    fn consider_mail(&mut self, from: ReversePath, params: MailParams) {
        if self.config.limits.mail_max().is_some_and(|most| self.mails > most) {
            return self.close(Canned::TOO_MANY_MESSAGES, None);
        }
        let TransactionId(number) = self.next_transaction;
        self.next_transaction = TransactionId(number.saturating_add(1));
        let checked = params::mail(&from, &params, &self.config.offer, &self.config.limits, self.session.secured);
        if let Err(words) = checked {
            return self.refuse_params(words);
        }
        let binary = params.body == Some(crate::value::BodyType::BinaryMime);
        let pending = Pending::Mail { binary, utf8: params.smtputf8 };
        self.ask(Ask::Mail(TransactionId(number), from, params), pending);
    }

    fn consider_tls(&mut self) {
        if self.session.secured {
            self.refuse(Canned::ALREADY_SECURED);
        } else if !self.config.offer.starttls {
            self.refuse(Canned::NOT_OFFERED);
        } else if !self.input.is_empty() {
            // Whoever put it there may not be the client (RFC 3207 section 6).
            self.close(Canned::STRAY_BEFORE_TLS, Some(Error::ClearOctets));
        } else {
            self.take_step(Input::Answer(Verb::StartTls, Answer::Yes));
            self.say(&Said::Canned(Canned::START_TLS));
        }
    }

    fn hear_response(&mut self, response: Result<AuthResponse, Canned>) {
        match response {
            Ok(response) => self.ask(Ask::AuthResponse(response), Pending::Auth),
            Err(words) => self.refuse_response(words),
        }
    }

    /// Ends an AUTH exchange for what the client said in it.
    fn refuse_response(&mut self, words: Canned) {
        self.take_step(Input::Answer(Verb::Auth, Answer::No));
        self.refuse(words);
    }

    /// The refusal of the message, if it is refused already.
    fn refused(&self) -> Option<Said> {
        self.transaction.as_ref()?.refused.clone().map(Said::Reply)
    }

    fn ask_about_content(&mut self, pending: Pending) {
        if let Some(refused) = self.refused() {
            self.decide(pending, &refused);
        } else if let Some(id) = self.transaction.as_ref().map(|transaction| transaction.id) {
            self.ask(Ask::Data(id), pending);
        }
    }

    pub(super) fn ask(&mut self, ask: Ask, pending: Pending) {
        let number = self.questions;
        self.questions = number.saturating_add(1);
        self.open = Some(Open { number, pending });
        self.events.push_back(Event::Question(Question::new(number, ask)));
    }

    /// Refuses a command that is nonsense, and the client after too much of it.
    pub(super) fn refuse(&mut self, words: Canned) {
        self.refuse_with(&Said::Canned(words));
    }

    /// Refuses a MAIL or RCPT for a parameter: asking for too much is no
    /// nonsense.
    fn refuse_params(&mut self, words: Canned) {
        if words == Canned::UNKNOWN_PARAMETER { self.refuse(words) } else { self.say(&Said::Canned(words)) }
    }

    /// A BDAT was not understood: its octets cannot be told from commands.
    fn lose_chunk(&mut self) {
        self.close(Canned::LOST_IN_CHUNK, Some(Error::LostInChunk));
    }

    pub(super) fn refuse_with(&mut self, words: &Said) {
        self.errors = self.errors.saturating_add(1);
        if self.errors > self.config.limits.errors {
            return self.close(Canned::TOO_MANY_ERRORS, Some(Error::TooManyErrors));
        }
        self.say(words);
    }

    /// Appends a reply to what is on its way to the client.
    pub(super) fn say(&mut self, said: &Said) {
        if self.write_closed {
            return;
        }
        match said {
            Said::Canned(canned) => {
                canned.write(&mut self.queue);
                self.note(|| Line::Reply(canned.reply()));
            }
            Said::Reply(reply) => {
                let utf8 = self.transaction.as_ref().is_some_and(|transaction| transaction.utf8);
                let reply = say::fit(reply, utf8);
                encode_reply(&reply, &mut self.queue);
                self.note(|| Line::Reply(reply));
            }
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> Line) {
        if self.config.transcript {
            self.events.push_back(Event::Line(line()));
        }
    }
}

/// A line that is no command, as it may be shown: what follows AUTH is nobody's
/// business, even if it is nonsense, and where there is AUTH a line without a
/// verb may be a password.
fn shown(line: &[u8], verb: Option<Verb>, may_be_secret: bool) -> String {
    let is_auth = line.trim_ascii_start().get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"AUTH"));
    match verb {
        Some(Verb::Auth) => "AUTH ***".into(),
        None if may_be_secret || is_auth => "***".into(),
        _ => Escaped(line).to_string(),
    }
}

/// Whether nothing is told that is not asked for.
fn offers(offered: &[ClientAttribute], told: &ClientAttributes) -> bool {
    told.iter().all(|(attribute, _)| offered.contains(attribute))
}

//! The commands of the reference, and the answers to its questions.

use super::text::first_fault;
use super::{Content, Fault, Heard, Mail, Over, Question, RECIPIENTS, Reference, SIZE, Said, Transaction, Word};

impl Reference {
    /// A command.
    pub(super) fn hear(&mut self, word: Word) {
        self.count(word);
        let blocked = self.blocked(word);
        match word {
            // What is no command is told before anything else.
            Word::Line(_, code) => self.nonsense(code),
            Word::TooLong => self.nonsense(500),
            Word::LostBdat(_) => {
                self.say(421);
                self.close(Err(Fault::LostInChunk));
            }
            // The octets of a chunk are read wherever it comes (RFC 3030).
            Word::Bdat { octets, last } => self.bdat(octets, last, blocked),
            _ if blocked.is_some() => self.say(530),
            Word::Quit => {
                self.say(221);
                self.close(Ok(()));
            }
            _ if self.turned_away => self.say(503),
            // At any time (RFC 5321 section 4.1.1).
            Word::Noop => self.say(250),
            Word::Vrfy => self.say(252),
            Word::Help => self.say(214),
            Word::Expn => self.nonsense(502),
            Word::Rset => {
                self.forget(Over::Abandoned, "RSET");
                self.say(250);
            }
            Word::Lhlo => self.ask(Question::Lhlo, Heard::Lhlo),
            _ if !self.lhlo => self.say(503),
            Word::Rcpt | Word::RcptWithMore | Word::Data => match &self.transaction {
                Some(open) if open.content == Content::None => self.in_transaction(word),
                _ => self.say(503),
            },
            _ if self.transaction.is_some() => self.say(503),
            _ => self.between_transactions(word),
        }
    }

    /// LIMITS counts commands, whatever becomes of them (RFC 9422 section 4).
    fn count(&mut self, word: Word) {
        match (word, &mut self.transaction) {
            (Word::Mail(_) | Word::Line("MAIL FROM:<", _), _) => self.mails += 1,
            (Word::Rcpt | Word::RcptWithMore | Word::Line("RCPT TO:<@>", _), Some(open)) => open.rcpts += 1,
            _ => {}
        }
    }

    /// 530 until there is TLS or AUTH where one is required (RFC 3207 section 4,
    /// RFC 4954 section 6).
    fn blocked(&self, word: Word) -> Option<u16> {
        let free = matches!(word, Word::Lhlo | Word::Noop | Word::Rset | Word::Quit | Word::StartTls);
        let auth = matches!(word, Word::Auth | Word::AuthUnknown);
        let by_tls = self.setting.needs_tls && !self.secured && !free;
        let by_auth = self.setting.needs_auth && !self.identity && !free && !auth;
        (by_tls || by_auth).then_some(530)
    }

    fn between_transactions(&mut self, word: Word) {
        let trusting = self.setting.trusting;
        match word {
            Word::Mail(mail) => self.mail(mail),
            Word::StartTls if self.secured => self.nonsense(503),
            Word::StartTls if !self.ahead.is_empty() => {
                self.say(421);
                self.close(Err(Fault::ClearOctets));
            }
            Word::StartTls => {
                self.say(220);
                self.ended.push("STARTTLS");
                (self.secured, self.lhlo, self.identity) = (true, false, false);
            }
            Word::Auth | Word::AuthUnknown if !trusting => self.nonsense(502),
            Word::Auth | Word::AuthUnknown if self.identity => self.nonsense(503),
            Word::AuthUnknown => self.nonsense(504),
            Word::Auth => self.ask(Question::Auth, Heard::Auth),
            Word::Xclient | Word::XclientWithMore | Word::Xforward | Word::XforwardWithMore if !trusting => {
                self.nonsense(550);
            }
            Word::XclientWithMore | Word::XforwardWithMore => self.nonsense(501),
            Word::Xclient => self.ask(Question::Xclient, Heard::Xclient),
            Word::Xforward => self.ask(Question::Xforward, Heard::Xforward),
            Word::Trace if trusting => {
                self.heard.push(Heard::Trace);
                self.say(250);
            }
            Word::Trace => self.nonsense(502),
            other => panic!("{other:?} is no command between transactions"),
        }
    }

    fn mail(&mut self, mail: Mail) {
        let id = self.transactions;
        if self.setting.messages.is_some_and(|most| self.mails > most) {
            self.say(421);
            return self.close(Ok(()));
        }
        self.transactions += 1;
        match mail {
            Mail::More => self.nonsense(555),
            Mail::Binary if !self.setting.chunking => self.nonsense(555),
            Mail::TooLarge => self.say(552),
            Mail::Plain | Mail::Binary => self.ask(Question::Mail { binary: mail == Mail::Binary }, Heard::Mail(id)),
        }
    }

    fn in_transaction(&mut self, word: Word) {
        let Some(Transaction { id, binary, rcpts, ref verdicts, refused, .. }) = self.transaction else { return };
        let accepted = verdicts.len();
        match (word, refused) {
            (Word::RcptWithMore, _) => self.nonsense(555),
            (Word::Rcpt, Some(refused)) => self.said.push(refused),
            (Word::Rcpt, None) if rcpts > RECIPIENTS => self.say(452),
            (Word::Rcpt, None) => self.ask(Question::Rcpt, Heard::Rcpt(id, accepted)),
            (_, _) if accepted == 0 => self.say(503),
            (_, _) if binary => self.nonsense(503),
            (_, Some(refused)) => {
                self.said.push(refused);
                self.forget(Over::Abandoned, "DATA of a refused message");
            }
            (_, None) => self.ask(Question::Data, Heard::Data(id)),
        }
    }

    fn bdat(&mut self, octets: &'static str, last: bool, blocked: Option<u16>) {
        let not_offered = (!self.setting.chunking).then_some(502);
        if let Some(code) = blocked.or(not_offered) {
            return self.drop_chunk(octets.len(), last, code);
        }
        let Some(Transaction { id, ref content, ref verdicts, refused, .. }) = self.transaction else {
            return self.drop_chunk(octets.len(), last, 503);
        };
        match (content, verdicts.len(), refused) {
            (Content::Chunks(_), ..) => self.take_chunk(octets, last),
            (Content::None, 1.., None) => self.ask(Question::Bdat { octets, last }, Heard::Data(id)),
            (Content::None, 1.., Some(_)) => self.take_chunk(octets, last),
            _ => {
                self.refuse_message(Said { code: 503, number: None }, "refuses: a chunk for nobody");
                self.transaction.as_mut().unwrap().content = Content::Broken;
                self.drop_chunk(octets.len(), last, 503);
            }
        }
    }

    /// Reads a chunk that is not taken.
    fn drop_chunk(&mut self, length: usize, last: bool, code: u16) {
        let read = match &mut self.transaction {
            Some(transaction) => &mut transaction.read,
            None => &mut self.drained,
        };
        *read += length;
        let read = *read;
        if length > 0 && self.is_too_much(read) {
            return;
        }
        match self.content() {
            // As many answers as recipients: there may be none (RFC 2033 section 4.3).
            Some(Content::Broken) if last => self.conclude([].into()),
            _ => self.say(code),
        }
    }

    /// Reads a chunk of the message.
    fn take_chunk(&mut self, octets: &str, last: bool) {
        let Some(transaction) = &mut self.transaction else { return };
        let (binary, mut all) = match (transaction.binary, &transaction.content) {
            (binary, Content::Chunks(before)) => (binary, before.clone()),
            (binary, _) => (binary, [].into()),
        };
        if transaction.read + octets.len() > SIZE {
            self.refuse_message(Said { code: 552, number: None }, "refuses: too large in chunks");
        }
        all.extend_from_slice(octets.as_bytes());
        let alone = last && all.ends_with(b"\r");
        let transaction = self.transaction.as_mut().unwrap();
        transaction.read += octets.len();
        transaction.content = Content::Chunks(all.clone());
        let read = transaction.read;
        if !binary && first_fault(&all).is_some() {
            self.refuse_message(Said { code: 550, number: None }, "refuses: a lone CR, LF or NUL in chunks");
        }
        if self.refused().is_some() && !octets.is_empty() && self.is_too_much(read) {
            return;
        }
        if !binary && alone {
            self.refuse_message(Said { code: 550, number: None }, "refuses: a lone CR, LF or NUL in chunks");
        }
        match self.refused() {
            _ if last => self.conclude(all),
            Some(refused) => {
                self.said.push(refused);
                self.transaction.as_mut().unwrap().content = Content::Broken;
            }
            None => self.say(250),
        }
    }

    /// The question is answered, with that number in the text or in the machine's
    /// own words.
    pub(super) fn answer(&mut self, code: u16, number: Option<usize>) {
        let Some(question) = self.question.take() else { return };
        let said = match (code, question) {
            (200..300, Question::Auth) => Said { code: 451, number: None },
            (200..400, Question::Data | Question::Bdat { .. }) => Said { code: 354, number: None },
            (300..400, _) => Said { code: 451, number: None },
            _ => Said { code, number },
        };
        if said.code == 421 {
            self.said.push(said);
            return self.close(Ok(()));
        }
        let yes = said.code < 400;
        match question {
            Question::Connect => {
                self.turned_away = !yes;
                self.said.push(if yes { Said { code: 220, ..said } } else { said });
            }
            Question::Lhlo if yes => {
                if self.transaction.is_none() {
                    self.ended.push("LHLO between transactions");
                }
                self.forget(Over::Abandoned, "LHLO");
                self.lhlo = true;
                self.say(250);
            }
            Question::Mail { binary } if yes => {
                self.transaction = Some(Transaction {
                    id: self.transactions - 1,
                    rcpts: 0,
                    binary,
                    verdicts: [].into(),
                    answered: 0,
                    content: Content::None,
                    refused: None,
                    read: 0,
                });
                self.said.push(said);
            }
            Question::Rcpt if yes => {
                self.transaction.as_mut().unwrap().verdicts.push(None);
                self.said.push(said);
            }
            Question::Data if yes => {
                self.transaction.as_mut().unwrap().content = Content::Data([].into());
                self.said.push(said);
            }
            Question::Data => {
                self.said.push(said);
                self.forget(Over::Abandoned, "DATA was refused");
            }
            Question::Bdat { octets, last } => {
                if !yes {
                    self.refuse_message(said, "refuses: the application, at BDAT");
                }
                self.take_chunk(octets, last);
            }
            // Whoever guesses is not to guess for ever.
            Question::Auth => {
                self.authenticating = false;
                if said.code < 500 { self.said.push(said) } else { self.refuse(said) }
            }
            Question::Xclient if yes => {
                self.ended.push("XCLIENT");
                (self.lhlo, self.identity) = (false, false);
                self.say(220);
            }
            _ => self.said.push(said),
        }
    }
}

//! Content only for somebody: every session of up to seven commands.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{reply, written};
use crate::server::{Ask, Config, Event, Server};
use crate::{Instant, Machine, Output, RecipientId};

/// A command, and what the application says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Lhlo,
    Mail,
    MailRefused,
    Rcpt,
    RcptRefused,
    Data,
    Chunk,
    LastChunk,
    Rset,
}

const LETTERS: [Letter; 9] = [
    Letter::Lhlo,
    Letter::Mail,
    Letter::MailRefused,
    Letter::Rcpt,
    Letter::RcptRefused,
    Letter::Data,
    Letter::Chunk,
    Letter::LastChunk,
    Letter::Rset,
];

impl Letter {
    fn octets(self) -> &'static [u8] {
        match self {
            Self::Lhlo => b"LHLO client.example\r\n",
            Self::Mail | Self::MailRefused => b"MAIL FROM:<ann@x>\r\n",
            Self::Rcpt | Self::RcptRefused => b"RCPT TO:<bob@x>\r\n",
            Self::Data => b"DATA\r\n",
            Self::Chunk => b"BDAT 0\r\n",
            Self::LastChunk => b"BDAT 0 LAST\r\n",
            Self::Rset => b"RSET\r\n",
        }
    }
}

/// A session that is told one command after the other.
struct Session {
    server: Server,
    /// Recipients of the transaction, and whether a chunk of it has come.
    accepted: u32,
    chunks: bool,
}

impl Session {
    fn new(config: &Arc<Config>) -> Self {
        let mut session = Self { server: Server::new(config.clone()), accepted: 0, chunks: false };
        session.run(true);
        session
    }

    /// Says it; the codes of the replies.
    fn say(&mut self, octets: &[u8], yes: bool) -> Vec<u16> {
        self.server.input().extend_from_slice(octets);
        self.run(yes)
    }

    fn run(&mut self, yes: bool) -> Vec<u16> {
        let mut codes = Vec::new();
        loop {
            match self.server.poll_output(Instant::ORIGIN).unwrap() {
                Output::Event(Event::Question(question)) => {
                    let is_rcpt = matches!(question.ask(), Ask::Rcpt(..));
                    self.accepted += u32::from(is_rcpt && yes);
                    match yes {
                        true => self.server.accept(question).unwrap(),
                        false => self.server.answer(question, reply(550, "no")).unwrap(),
                    }
                }
                Output::Event(Event::End(id)) => {
                    for place in 0..self.accepted {
                        self.server.verdict(id, RecipientId(place), reply(250, "stored")).unwrap();
                    }
                }
                Output::Event(_) => {}
                Output::Transmit => {
                    let wire = written(&mut self.server);
                    let lines = wire.split(|&octet| octet == b'\n').filter(|line| line.get(3) == Some(&b' '));
                    codes.extend(
                        lines.map(|line| line[..3].iter().fold(0, |code, digit| 10 * code + u16::from(digit - b'0'))),
                    );
                }
                _ => return codes,
            }
        }
    }

    /// Takes the next command of a word, and checks what is said to DATA.
    fn take(&mut self, letter: Letter, word: &[Letter]) {
        let yes = !matches!(letter, Letter::MailRefused | Letter::RcptRefused);
        let expected = if self.accepted > 0 && !self.chunks { 354 } else { 503 };
        let codes = self.say(letter.octets(), yes);
        match letter {
            Letter::Data => {
                assert_eq!(codes, [expected], "{word:?}");
                if expected == 354 {
                    assert_eq!(self.say(b".\r\n", true).len(), self.accepted as usize, "{word:?}");
                    self.accepted = 0;
                }
            }
            // All that was accepted has its answer, or is forgotten.
            Letter::LastChunk => (self.accepted, self.chunks) = (0, false),
            Letter::Lhlo | Letter::Rset => {
                assert_eq!(codes, [250], "{word:?}");
                (self.accepted, self.chunks) = (0, false);
            }
            // Only MAIL opens a transaction, and it finds none.
            Letter::Mail if codes == [250] => assert_eq!(self.accepted, 0, "{word:?}"),
            Letter::Chunk => self.chunks = codes == [250] || self.accepted > 0,
            _ => {}
        }
    }
}

/// 354 where somebody was accepted, and 503 everywhere else (RFC 2033
/// section 4.2): in every session of seven commands, of which the last is DATA.
/// The shorter ones are how these begin.
#[test]
fn content_is_only_for_somebody() {
    let config = Arc::new(Config::default());
    let words = LETTERS.len().pow(6);
    let mut for_somebody = 0;
    for number in 0..words {
        let mut rest = number;
        let mut word = [Letter::Data; 7];
        for letter in &mut word[..6] {
            *letter = LETTERS[rest % LETTERS.len()];
            rest /= LETTERS.len();
        }
        let mut session = Session::new(&config);
        for letter in word {
            for_somebody += usize::from(letter == Letter::Data && session.accepted > 0 && !session.chunks);
            session.take(letter, &word);
        }
    }
    assert_eq!(for_somebody, 5_391, "so many of the commands were DATA for somebody");
}

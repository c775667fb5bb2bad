//! Replies that say what they answer: the proof that no reply is taken for the
//! answer to anything else.

use lmtp_proto::Reply;

/// What a reply answers: a recipient is named by the number of its message and
/// by how many of that message were asked for before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Greeting,
    Mail(usize),
    Rcpt(usize, usize),
    Data(usize),
    Final(usize, usize),
}

impl Tag {
    /// The text of a reply by the application of the server.
    pub(super) fn text(self) -> String {
        match self {
            Self::Greeting => "server.example is the greeting".into(),
            Self::Mail(message) => format!("to mail {message}"),
            Self::Rcpt(message, number) => format!("to rcpt {message} {number}"),
            Self::Data(message) => format!("to data {message}"),
            Self::Final(message, number) => format!("to final {message} {number}"),
        }
    }

    /// Such a reply.
    pub(super) fn reply(self, code: u16) -> Reply {
        Reply::new(code, None, &self.text()).expect("a reply")
    }

    /// Whether this reply can be the answer: it says so, or is one that the
    /// server gives by itself to such a command.
    pub(super) fn fits(self, reply: &Reply) -> bool {
        let text = String::from_utf8_lossy(reply.octets()).into_owned();
        let own = |begin: &str| text.starts_with(begin);
        let alone = match self {
            Self::Greeting => false,
            Self::Mail(_) => own("Sender ok") || own("Message too large"),
            Self::Rcpt(..) => own("Recipient ok") || own("Too many recipients") || own("Say MAIL first"),
            Self::Data(_) => {
                ["Say MAIL first", "No valid recipients", "Message too large", "The chunk was dropped", "BODY="]
                    .into_iter()
                    .any(own)
            }
            // A chunk that was refused and was the last is refused to everybody.
            Self::Final(message, _) => {
                own("Message too large") || own("The chunk was dropped") || text == Self::Data(message).text()
            }
        };
        text == self.text() || alone || own("Internal error") || reply.code().get() == 421
    }
}

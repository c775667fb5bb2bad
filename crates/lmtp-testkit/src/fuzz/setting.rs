//! How a client is set up, and what it is to send.

use lmtp_proto::client::{Chunking, Config, EightBit, Pipelining};
use lmtp_proto::{Content, Envelope, ForwardPath, LineEndings};

use super::Choices;
use crate::memory::Message;

/// Addresses, two of them the same: places count, addresses do not.
const RECIPIENTS: [&str; 5] = ["bob@x", "eve@x", "bob@x", "postmaster", "j\u{f6}rg@b\u{fc}cher.example"];

const MESSAGES: [&str; 6] = [
    "Subject: hi\r\n\r\nHello.\r\n",
    "",
    ".\r\n..\r\n.dot",
    "Subject: hi\r\n\r\nH\u{e9}llo\r\n",
    "Subject: h\u{e9}\r\n\r\nHello\r\n",
    "Subject: many\r\n\r\n",
];

/// Long enough that it is asked for in parts.
const LONG: usize = 5;
const LONG_LINES: usize = 3000;

/// What an input decides before anybody has spoken.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) config: Config,
    pub(super) recipients: usize,
    pub(super) message: Message,
}

impl Setting {
    pub(super) fn of(choices: &mut Choices<'_>) -> Self {
        let mut config = Config::default();
        let recipients = 1 + choices.below(RECIPIENTS.len());
        config.pipelining = choices.one_of(&[Pipelining::Auto, Pipelining::Off]);
        config.limits.pipelined_commands = choices.one_of(&[256, 1, 2, 3]);
        if choices.yes() {
            (config.limits.reply_line, config.limits.reply_size, config.limits.answers) = (60, 200, 80);
        }
        let which = choices.below(MESSAGES.len());
        let mut text = MESSAGES[which].to_owned();
        if which == LONG {
            text += &"A line of a long message.\r\n".repeat(LONG_LINES);
        }
        let mut message = Message { chunk: choices.one_of(&[usize::MAX, 1000, 7, 1]), ..Message::new(text) };
        // One octet at a time is slow, and teaches nothing that seven do not.
        if which == LONG {
            message.chunk = message.chunk.max(1000);
        }
        config.line_endings = choices.one_of(&[LineEndings::Reject, LineEndings::Convert]);
        config.eight_bit = choices.one_of(&[EightBit::Refuse, EightBit::Send]);
        if choices.yes() {
            message.content = Content::of(&message.octets, config.line_endings).expect("a message that can be sent");
        }
        config.depth = choices.one_of(&[1, 2, 3]);
        config.chunking = choices.one_of(&[Chunking::Auto, Chunking::Always, Chunking::Off]);
        Self { config, recipients, message }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = ForwardPath> {
        RECIPIENTS[..self.recipients].iter().map(|address| address.parse().expect("an address"))
    }

    pub(super) fn envelope(&self) -> Envelope {
        Envelope::new("ann@x".parse().expect("an address"), self.paths()).expect("few recipients")
    }
}

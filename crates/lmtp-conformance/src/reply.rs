//! A slow and obvious reader of replies (RFC 5321 section 4.2).

use crate::conversation::{Conversation, Lost};

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: u16,
    /// The text of each line, behind the code.
    pub lines: Vec<String>,
    /// Whether its last line is the code, without even a blank behind it.
    pub is_bare: bool,
}

impl Reply {
    /// Whether each line begins with one and the same enhanced code of the reply's class (RFC 2034 section 4).
    pub fn has_enhanced_code(&self) -> bool {
        let first = self.lines[0].split(' ').next().unwrap_or_default();
        let parts: Vec<&str> = first.split('.').collect();
        let number = |part: &str| {
            (1..=3).contains(&part.len())
                && part.bytes().all(|octet| octet.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        parts.len() == 3
            && parts[0] == (self.code / 100).to_string()
            && number(parts[1])
            && number(parts[2])
            && self.lines.iter().all(|line| line.split(' ').next() == Some(first))
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The connection ended.
    #[error("the server closed the connection")]
    Closed,
    /// Nothing came in time.
    #[error("no reply came in time")]
    Silent,
    /// What came is not a reply.
    #[error("not a reply: {0}")]
    Malformed(String),
}

/// What was read of a connection, and not yet taken as a reply.
#[derive(Debug, Default)]
pub struct Reader {
    read: Vec<u8>,
}

impl Reader {
    /// Reads one reply.
    pub fn reply(&mut self, conversation: &mut dyn Conversation) -> Result<Reply, NoReply> {
        let mut reply: Option<Reply> = None;
        loop {
            let line = self.line(conversation)?;
            let bad = |why: &str| NoReply::Malformed(format!("{why}: {:?}", String::from_utf8_lossy(&line)));
            if line.len() < 3 || !line[..3].iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&line[0]) {
                return Err(bad("no code of three digits from 2 to 5"));
            }
            if line.len() + 2 > 512 {
                return Err(bad("a line of more than 512 octets"));
            }
            if !line.iter().all(|octet| matches!(octet, b'\t' | b' '..=b'~')) {
                return Err(bad("text that is not printable ASCII"));
            }
            let code = line[..3].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
            let last = match line.get(3) {
                None | Some(b' ') => true,
                Some(b'-') => false,
                Some(_) => return Err(bad("neither blank nor hyphen behind the code")),
            };
            let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned();
            let so_far = reply.get_or_insert_with(|| Reply { code, lines: Vec::new(), is_bare: false });
            if so_far.code != code {
                return Err(bad("another code within a reply"));
            }
            so_far.lines.push(text);
            so_far.is_bare = line.len() == 3;
            if last {
                return Ok(reply.expect("a line was read"));
            }
        }
    }

    /// Whether the server has said something that nothing has asked for.
    pub fn surplus(&self) -> bool {
        !self.read.is_empty()
    }

    /// Whether the connection has ended, and all was taken.
    pub fn is_at_end(&mut self, conversation: &mut dyn Conversation) -> bool {
        if !self.read.is_empty() {
            return false;
        }
        match conversation.read() {
            Ok(octets) => self.read = octets,
            Err(lost) => return lost == Lost::Closed,
        }
        false
    }

    fn line(&mut self, conversation: &mut dyn Conversation) -> Result<Vec<u8>, NoReply> {
        loop {
            if let Some(end) = self.read.iter().position(|&octet| octet == b'\n') {
                let mut line: Vec<u8> = self.read.drain(..=end).collect();
                line.pop();
                return match line.pop() {
                    Some(b'\r') => Ok(line),
                    _ => Err(NoReply::Malformed("a line that ends without CR".to_owned())),
                };
            }
            if self.read.len() > 65_536 {
                return Err(NoReply::Malformed("a line without end".to_owned()));
            }
            match conversation.read() {
                Ok(octets) => self.read.extend(octets),
                Err(Lost::Closed) if self.read.is_empty() => return Err(NoReply::Closed),
                Err(Lost::Closed) => return Err(NoReply::Malformed("a line cut off".to_owned())),
                Err(Lost::Silent) => return Err(NoReply::Silent),
            }
        }
    }
}

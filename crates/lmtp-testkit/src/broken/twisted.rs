//! A good server that answers one thing wrongly: for the extensions, of which there are too many to break a model of each.

use lmtp_conformance::Peer;

use crate::served::Served;

impl Peer for Served {
    fn hear(&mut self, octets: &[u8]) -> Vec<u8> {
        Served::hear(self, octets);
        std::mem::take(&mut self.sent)
    }

    fn has_closed(&self) -> bool {
        self.is_over
    }

    fn stop(&mut self) -> bool {
        self.server.shut_down();
        true
    }
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// This in what it says is that.
    Says(&'static str, &'static str),
    /// A line that begins so is not run, and this is answered.
    Answers(&'static str, &'static str),
}

/// Our server, twisted.
#[derive(Debug)]
pub struct Twisted {
    served: Served,
    twists: Vec<Twist>,
}

impl Twisted {
    /// A server with these twists.
    pub fn new(served: Served, twists: &[Twist]) -> Self {
        Self { served, twists: twists.to_vec() }
    }

    /// The wrong answer to a line.
    fn answer(&self, line: &[u8]) -> Option<&'static str> {
        self.twists.iter().find_map(|twist| match twist {
            Twist::Answers(start, answer) if line.starts_with(start.as_bytes()) => Some(*answer),
            _ => None,
        })
    }

    /// What it says instead.
    fn said(&self, said: &[u8]) -> Vec<u8> {
        let mut said = String::from_utf8_lossy(said).into_owned();
        for twist in &self.twists {
            if let Twist::Says(this, that) = twist {
                said = said.replace(this, that);
            }
        }
        said.into_bytes()
    }
}

impl Peer for Twisted {
    fn hear(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut said = Peer::hear(&mut self.served, b"");
        for line in octets.split_inclusive(|&octet| octet == b'\n') {
            match self.answer(line) {
                Some(answer) => said.extend_from_slice(format!("{answer}\r\n").as_bytes()),
                None => said.extend(Peer::hear(&mut self.served, line)),
            }
        }
        self.said(&said)
    }

    fn has_closed(&self) -> bool {
        Peer::has_closed(&self.served)
    }

    fn stop(&mut self) -> bool {
        self.served.stop()
    }
}

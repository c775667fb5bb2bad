//! A conversation with the server under test: octets out, octets in.

use std::time::Duration;

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The server closed the connection.
    Closed,
    /// The server said nothing within the deadline.
    Silent,
}

/// Why TLS was not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTls {
    /// It cannot be, over this kind of conversation.
    Unsupported,
    /// The handshake failed.
    Failed(String),
}

/// A connection to the server under test.
pub trait Conversation {
    /// Sends octets. That the server no longer reads is no error: it shows in what is read.
    fn send(&mut self, octets: &[u8]);
    /// Reads what the server has said, at least one octet, within the deadline.
    fn read(&mut self) -> Result<Vec<u8>, Lost>;
    /// Begins TLS, as a client does behind a 220 to STARTTLS.
    fn secure(&mut self) -> Result<(), NoTls> {
        Err(NoTls::Unsupported)
    }
    /// Tells the server to stop, as whoever runs it would.
    ///
    /// # Errors
    ///
    /// It cannot be told: why.
    fn stop(&mut self) -> Result<(), String> {
        Err("how to stop the server was not given".to_owned())
    }
    /// From now on waits up to this long when it reads.
    fn wait(&mut self, _: Duration) {}
}

/// A server in this process, on virtual time: it answers at once or not at all.
pub trait Peer {
    /// Hands it octets; gives what it says to them. The first call has no octets and gives the greeting.
    fn hear(&mut self, octets: &[u8]) -> Vec<u8>;
    /// Whether it has closed the connection.
    fn has_closed(&self) -> bool;
    /// Told that TLS has begun, as if it had, behind its 220 to STARTTLS. Whether it can be.
    fn secure(&mut self) -> bool {
        false
    }
    /// Told to stop, as by whoever runs it. Whether it can be.
    fn stop(&mut self) -> bool {
        false
    }
}

/// A conversation with a [`Peer`].
#[derive(Debug)]
pub struct Memory<P> {
    peer: P,
    said: Vec<u8>,
}

impl<P: Peer> Memory<P> {
    /// A new connection to a peer.
    pub fn new(mut peer: P) -> Self {
        let said = peer.hear(b"");
        Self { peer, said }
    }
}

impl<P: Peer> Conversation for Memory<P> {
    fn send(&mut self, octets: &[u8]) {
        if !self.peer.has_closed() {
            self.said.extend(self.peer.hear(octets));
        }
    }

    fn read(&mut self) -> Result<Vec<u8>, Lost> {
        match std::mem::take(&mut self.said) {
            said if !said.is_empty() => Ok(said),
            _ if self.peer.has_closed() => Err(Lost::Closed),
            _ => Err(Lost::Silent),
        }
    }

    fn secure(&mut self) -> Result<(), NoTls> {
        if !self.peer.secure() {
            return Err(NoTls::Unsupported);
        }
        // What it had read before may be answered now.
        self.said.extend(self.peer.hear(b""));
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        if !self.peer.stop() {
            return Err("the server cannot be told to stop".to_owned());
        }
        self.said.extend(self.peer.hear(b""));
        Ok(())
    }
}

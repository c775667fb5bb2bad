//! Something between a client and a server that cuts the line where it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Who is heard no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Client,
    Server,
}

/// How the line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Both ways are closed.
    Close,
    /// The way of what is cut is closed, and the other goes on.
    Half,
    /// The client sees a reset.
    Reset,
}

/// Where the line ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) whose: Whose,
    /// Behind so many octets of theirs.
    pub(crate) behind: usize,
    pub(crate) how: How,
}

/// A relay for one connection, in a thread of its own, which gives what the client has
/// been sent.
pub(crate) fn relay(server: &Path, cut: Cut) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = UnixStream::connect(server).unwrap();
    let thread = thread::spawn(move || {
        let (client, server) = (Arc::new(listener.accept().unwrap().0), Arc::new(server));
        client.set_nodelay(true).unwrap();
        let limit = move |whose| (cut.whose == whose).then_some(cut.behind);
        let ends = (Arc::clone(&client), Arc::clone(&server));
        let there =
            thread::spawn(move || pass(&*ends.0, &*ends.1, limit(Whose::Client), || end(&ends.0, &ends.1, cut)));
        let heard = pass(&*server, &*client, limit(Whose::Server), || end(&client, &server, cut));
        there.join().unwrap();
        heard
    });
    (address, thread)
}

fn end(client: &TcpStream, server: &UnixStream, cut: Cut) {
    // Who is gone already needs no end.
    let _ = match (cut.how, cut.whose) {
        (How::Half, Whose::Client) => server.shutdown(Shutdown::Write),
        (How::Half, Whose::Server) => client.shutdown(Shutdown::Write),
        (How::Close, _) => server.shutdown(Shutdown::Both).and(client.shutdown(Shutdown::Both)),
        // With the last handle it is closed, and what is unread makes that a reset.
        (How::Reset, _) => {
            socket2::SockRef::from(client).set_linger(Some(Duration::ZERO)).unwrap();
            server.shutdown(Shutdown::Both).and(client.shutdown(Shutdown::Read))
        }
    };
}

/// Passes on in small pieces what is read, up to the limit; gives what was passed.
fn pass<R, W>(mut from: R, mut to: W, limit: Option<usize>, end: impl Fn()) -> Vec<u8>
where
    R: Read,
    W: Write + Closes,
{
    let mut passed = Vec::new();
    let mut piece = [0; 11];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        let left = limit.map_or(count, |limit| count.min(limit - passed.len()));
        if to.write_all(&piece[..left]).is_err() {
            break;
        }
        passed.extend_from_slice(&piece[..left]);
        if limit == Some(passed.len()) {
            end();
            // What else comes is heard by nobody.
            while matches!(from.read(&mut piece), Ok(1..)) {}
            return passed;
        }
    }
    to.close();
    passed
}

/// A socket whose way out can be closed.
trait Closes {
    fn close(&self);
}

impl Closes for &TcpStream {
    fn close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Closes for &UnixStream {
    fn close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

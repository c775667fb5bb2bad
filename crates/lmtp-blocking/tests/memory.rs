//! A large message in little memory. Alone in its process: the peak is the
//! process's.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use lmtp_blocking::{Body, ContentClass, send};

/// A gibibyte, in whole lines.
const SIZE: u64 = (1_u64 << 30).next_multiple_of(LINE.len() as u64);
const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and does it over and over.\r\n";

/// So many octets of mail in short lines.
struct Mail(u64);

impl Read for Mail {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = room.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        let mut at = usize::try_from((SIZE - self.0) % LINE.len() as u64).unwrap();
        let mut rest = &mut room[..count];
        while !rest.is_empty() {
            let (now, after) = rest.split_at_mut(rest.len().min(LINE.len() - at));
            now.copy_from_slice(&LINE[at..at + now.len()]);
            (at, rest) = (0, after);
        }
        self.0 -= count as u64;
        Ok(count)
    }
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Answers the client; gives the octets of content that came.
fn serve(listener: &UnixListener) -> u64 {
    let (mut stream, _) = listener.accept().unwrap();
    let mut buffer = vec![0; 65_536];
    stream.write_all(b"220 mx\r\n").unwrap();
    let _ = stream.read(&mut buffer).unwrap();
    stream.write_all(b"250-mx\r\n250 PIPELINING\r\n").unwrap();
    let _ = stream.read(&mut buffer).unwrap();
    stream.write_all(b"250 Ok\r\n250 Ok\r\n354 Go\r\n").unwrap();
    let (mut total, mut tail) = (0_u64, Vec::new());
    while !tail.ends_with(b"\r\n.\r\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed before the end");
        total += count as u64;
        tail.extend_from_slice(&buffer[count.saturating_sub(5)..count]);
        tail.drain(..tail.len().saturating_sub(5));
    }
    stream.write_all(b"250 2.0.0 Saved\r\n").unwrap();
    let _ = stream.read(&mut buffer).unwrap();
    stream.write_all(b"221 Bye\r\n").unwrap();
    total
}

#[test]
fn a_gibibyte_takes_no_more_than_8_mebibytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || serve(&listener));

    // Forget the peak so far.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    let body = Body::reader(Mail(SIZE)).with_size(SIZE).with_class(ContentClass::SevenBit);
    let report = send(format!("unix:{}", path.display()).as_str(), "ann@x", ["bob@x"], body).unwrap();
    let peak = status("VmHWM:");
    assert!(report.all_delivered(), "{report:?}");
    let total = server.join().unwrap();
    assert!(total >= SIZE + 3, "{total} octets arrived");
    let growth = peak.saturating_sub(before);
    assert!(growth <= 8 << 20, "peak memory grew by {growth} octets");
}

//! Much of everything: a message that no memory has to hold, and recipients that are
//! named faster than they are answered.

use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lmtp_proto::{Envelope, Outcome};

use super::front::{
    Body, Client, ContentClass, ForwardPath, Message, Peer, RcptParams, Reply, Server, ServerConfig, Session, Verdicts,
    send,
};
use super::served::begin;
use crate::alone::{is_alone, memory, size};
use crate::pairs::{Running, Socket};
use crate::stream::Mail;

/// Takes everything, and counts the octets.
struct Counting(Arc<AtomicU64>);

impl Session for Counting {
    waiting! {
        fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            Ok(())
        }
    }

    waiting! {
        fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
            while let Some(octets) = wait!(message.body.next()).unwrap() {
                self.0.fetch_add(octets.len() as u64, Ordering::SeqCst);
            }
            verdicts.give_rest(&Reply::stored());
        }
    }
}

/// A server that takes as much as one likes; where it is, and what it has counted.
fn counting() -> (Running, String, Arc<AtomicU64>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let (octets, mut config) = (Arc::new(AtomicU64::new(0)), ServerConfig::default());
    config.limits.message_size = u64::MAX;
    config.limits.recipients = usize::MAX;
    let counted = Arc::clone(&octets);
    let server = Server::new(move |_: &Peer| Counting(Arc::clone(&counted))).config(config);
    let running = begin(server, Socket::Unix(UnixListener::bind(&path).unwrap()));
    (running, format!("unix:{}", path.display()), octets, folder)
}

/// 1 GiB over night. Both ends are in the process that is measured.
#[cfg(target_os = "linux")]
#[test]
fn a_large_message_in_constant_memory() {
    if !is_alone(module_path!(), "a_large_message_in_constant_memory") {
        return;
    }
    let mail = || Mail::new(u64::from(size(64, 256, 1024)) << 20);
    let octets = mail().octets();
    let (running, endpoint, taken, _folder) = counting();
    // Threads, and whatever else is there once.
    let warm = endpoint.clone();
    run!({
        assert!(wait!(send(warm.as_str(), "ann@x", ["bob@x"], "Hi\r\n")).unwrap().all_delivered());
    });
    taken.store(0, Ordering::SeqCst);
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    run!({
        let body = Body::reader(mail()).with_size(octets).with_class(ContentClass::SevenBit);
        assert!(wait!(send(endpoint.as_str(), "ann@x", ["bob@x"], body)).unwrap().all_delivered());
    });
    let growth = memory("VmHWM:").saturating_sub(before);
    println!("{octets} octets: peak memory grew by {growth}");
    assert_eq!(taken.load(Ordering::SeqCst), octets);
    assert!(growth <= 8 << 20, "peak memory grew by {growth} octets");
    drop(running);
}

/// A million over night, but for one, for LIMITS can announce no more: far more than all
/// buffers between the two can hold, of commands as well as of replies.
#[test]
fn pipelined_recipients_do_not_dead_lock() {
    let (running, endpoint, _, _folder) = counting();
    let number = size(20_000, 100_000, 999_999);
    let to = (0..number).map(|number| format!("{number}@x").parse().unwrap());
    let envelope = Envelope::new("ann@x".parse().unwrap(), to).unwrap();
    run!({
        let mut client = wait!(Client::connect(endpoint.as_str())).unwrap();
        let report = wait!(client.deliver(&envelope, "Hi\r\n")).unwrap();
        let delivered = report.recipients().filter(|recipient| recipient.outcome() == Outcome::Delivered);
        assert_eq!(delivered.count(), number as usize, "{:?}", report.error());
        wait!(client.quit()).unwrap();
    });
    drop(running);
}

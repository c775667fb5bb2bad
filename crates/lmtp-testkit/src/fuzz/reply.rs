//! Replies out of any octets.

use bytes::{Buf, BytesMut};
use lmtp_proto::value::Capabilities;
use lmtp_proto::{Error, Limits, Phase, Reply, ReplyReader, SendQueue, encode_reply};

/// Replies: no octets make the reader panic or loop; however they are cut it
/// reads the same; each reply it reads is what its encoding is read as; memory
/// stays within the limits.
pub fn reply(data: &[u8]) {
    let mut tight = Limits::default();
    (tight.reply_line, tight.reply_size) = (40, 100);
    reply_within(data, Limits::default());
    reply_within(data, tight);
}

fn reply_within(data: &[u8], limits: Limits) {
    let whole = read_all(&[data], &limits);
    let octets: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(whole, read_all(&octets, &limits), "whole and byte by byte differ");

    for reply in &whole.0 {
        assert!(reply.octets().len() <= limits.reply_size);
        assert!((200..600).contains(&reply.code().get()));
        let mut queue = SendQueue::new();
        encode_reply(reply, &mut queue);
        let wire = queue.copy_to_bytes(queue.remaining());
        // It may be longer than what was read: the enhanced code stands on every
        // line.
        let mut wide = limits;
        (wide.reply_line, wide.reply_size) = (usize::MAX, usize::MAX);
        assert_eq!(read_all(&[&wire], &wide), (vec![reply.clone()], None), "encode and read differ");
        assert!(!reply.to_string().chars().any(char::is_control), "a reply prints a control character");
        let _ = Capabilities::from(reply);
    }
}

fn read_all(pieces: &[&[u8]], limits: &Limits) -> (Vec<Reply>, Option<Error>) {
    let (mut reader, mut input, mut replies) = (ReplyReader::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let before = input.len();
            match reader.read(&mut input, limits, Phase::Greeting) {
                Ok(Some(reply)) => {
                    assert!(input.len() < before, "a reply of no octets");
                    replies.push(reply);
                }
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
        }
        assert!(input.len() <= limits.reply_line, "more than a line is kept");
    }
    (replies, None)
}

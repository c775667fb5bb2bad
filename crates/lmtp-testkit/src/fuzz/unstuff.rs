//! What comes in behind DATA, out of any octets.

use bytes::{Buf, Bytes, BytesMut};
use lmtp_proto::{
    BareNewlines, Content, ContentError, ContentProblem, LineEndings, Piece, SendQueue, Stuffer, Unstuffer,
};

use crate::model;

/// What comes in behind DATA: the end is where the definition says, whatever is
/// done about bare line ends; so is the content, however it is cut; what comes out
/// can be sent again and is the same.
pub fn unstuff(data: &[u8]) {
    let octets: Vec<&[u8]> = data.chunks(1).collect();
    // Pieces of another size with each first octet; longer than a block, some.
    let size = data.first().map_or(1, |&octet| usize::from(octet) * 3 + 2);
    let pieces: Vec<&[u8]> = data.chunks(size).collect();
    for newlines in [BareNewlines::Reject, BareNewlines::Convert, BareNewlines::Keep] {
        let whole = unstuff_all(&[data], newlines);
        assert!(whole == unstuff_all(&octets, newlines), "{newlines:?}: whole and byte by byte differ");
        assert!(whole == unstuff_all(&pieces, newlines), "{newlines:?}: whole and in pieces of {size} differ");
        compare_with_model(data, newlines, &whole);
    }
}

/// What an [`Unstuffer`] has told.
#[derive(Debug, PartialEq, Eq)]
struct Unstuffed {
    content: Vec<u8>,
    problem: Option<ContentError>,
    received: u64,
    is_over: bool,
    left: Vec<u8>,
}

fn unstuff_all(pieces: &[&[u8]], newlines: BareNewlines) -> Unstuffed {
    let (mut unstuffer, mut input, mut content) = (Unstuffer::new(newlines), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(piece) = unstuffer.next(&mut input) {
            match piece {
                Piece::Content(octets) => content.extend_from_slice(&octets),
                Piece::End => assert!(unstuffer.is_over()),
            }
        }
        assert!(unstuffer.is_over() || input.len() <= 2, "more is kept than could be the end");
    }
    let (problem, received) = (unstuffer.problem(), unstuffer.received());
    Unstuffed { content, problem, received, is_over: unstuffer.is_over(), left: input.to_vec() }
}

fn compare_with_model(data: &[u8], newlines: BareNewlines, told: &Unstuffed) {
    // Where there is no end yet, what has come out is part of what would with one.
    let ended = [data, b"\r\n.\r\n"].concat();
    let (mut message, behind) = model::unstuffed(data).or_else(|| model::unstuffed(&ended)).expect("it has an end");
    assert_eq!(told.is_over, model::unstuffed(data).is_some());
    assert!(!told.is_over || told.left == behind, "the end is elsewhere");

    if newlines == BareNewlines::Convert {
        message = model::converted(&message);
    }
    let fault = model::first_fault(&message).filter(|_| newlines != BareNewlines::Keep);
    message.truncate(fault.unwrap_or(message.len()));
    assert!(message.starts_with(&told.content));
    if !told.is_over {
        return;
    }
    assert!(told.content == message, "{newlines:?}: the content is another");
    assert_eq!(told.problem.map(|error| error.offset), fault.map(|fault| fault as u64));
    if told.problem.is_none() {
        assert_eq!(told.received, message.len() as u64);
    }
    if newlines != BareNewlines::Keep {
        assert!(
            newlines == BareNewlines::Reject
                || matches!(told.problem, None | Some(ContentError { problem: ContentProblem::Nul, .. }))
        );
        send_again(&told.content);
    }
}

/// Content that had no fault up to its end, or to the fault.
fn send_again(content: &[u8]) {
    let told = Content::of(content, LineEndings::Reject).expect("nothing bad is left");
    let mut queue = SendQueue::new();
    let mut stuffer = Stuffer::new(LineEndings::Reject, told.class.expect("it was measured"));
    stuffer.push(&Bytes::copy_from_slice(content), &mut queue).expect("nothing bad is left");
    stuffer.finish(told.size, &mut queue).expect("the size is right");
    let wire = queue.copy_to_bytes(queue.remaining());
    assert_eq!(wire, [&model::stuffed(content)[..], b".\r\n"].concat());
    let again = unstuff_all(&[&wire], BareNewlines::Reject);
    assert!(again.is_over && again.left.is_empty());
    assert!(again.content.starts_with(content) && again.content.len() <= content.len() + 2);
}

//! Conversations from files, each played with the server's octets cut at every
//! place.

use lmtp_testkit::transcript::{self, Transcript};

/// Any cut of the server's bytes gives the same events and the same commands:
/// over refusals, malformed, over-long and surplus replies as well.
#[test]
fn every_transcript_goes_the_same_way_under_every_cut() {
    let transcripts = transcript::all();
    assert!(transcripts.len() > 50);
    for transcript in transcripts {
        transcript.play_with_every_cut();
    }
}

#[test]
#[should_panic(expected = "instead of")]
fn a_transcript_that_is_not_followed_fails() {
    let text = "from: a@x\nto: b@x\nmessage: hi\n\nS: 220 x\nC: EHLO localhost\n= nothing\n";
    Transcript::parse("wrong", text).play(transcript::Cut::Whole);
}

#[test]
#[should_panic(expected = "results")]
fn a_result_that_is_not_true_fails() {
    let text = "from: a@x\nto: b@x\nmessage: hi\n\nS: 554 no\n= b@x delivered final 250\n";
    Transcript::parse("wrong", text).play(transcript::Cut::Whole);
}

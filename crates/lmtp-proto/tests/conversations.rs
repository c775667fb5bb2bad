//! The conversations of the testkit, played by the server machine.

use lmtp_testkit::conversation;

/// Every octet of the server and every result, however the client's octets are
/// cut.
#[test]
fn every_conversation_plays_with_every_cut() {
    let conversations = conversation::all();
    assert!(conversations.len() >= 40, "only {} conversations", conversations.len());
    for conversation in conversations {
        conversation.play_with_every_cut();
    }
}

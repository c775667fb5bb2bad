//! Every cell of the table, and what may leave in a group.

use super::*;

/// Every cell: 24 states by 95 inputs.
#[test]
fn every_cell_keeps_the_rules() {
    lmtp_testkit::proves!("R5321-3.3-d");
    let mut allowed = 0;
    for state in State::ALL {
        for input in Input::all() {
            let (next, action) = step(state, input);
            let cell = (state, input, next, action);
            if action == Action::Violation {
                assert_eq!(next, State::Over, "{cell:?}");
                continue;
            }
            allowed += 1;
            // R5321-3.3-d: content only behind a 354.
            if next == State::Content {
                assert_eq!(input, Input::Reply(Verb::Data, Tone::GoOn), "{cell:?}");
            }
            // DATA only when a recipient was accepted (RFC 2033 section 4.2).
            if action == Action::Send(Verb::Data) {
                let yes = matches!(input, Input::Recipient(Tone::Yes, _));
                assert!(yes || state == State::Recipients { accepted: true }, "{cell:?}");
            }
            // The first chunk only when a recipient was accepted and all are
            // answered (RFC 3030 section 2).
            if next == State::Chunks && state != State::Chunks {
                let yes = matches!(input, Input::Recipient(Tone::Yes, Next::Bdat));
                let no = matches!(input, Input::Recipient(Tone::No, Next::Bdat) | Input::Say(Verb::Bdat));
                assert!(yes || no && state == State::Recipients { accepted: true }, "{cell:?}");
            }
            // The end of the content only when content was asked for.
            if action == Action::ExpectFinals {
                assert!(matches!(state, State::Content | State::Chunks), "{cell:?}");
            }
            // Secrets, senders and content only behind an opening that has
            // decided so, and behind TLS nothing but LHLO (RFC 3207 section 4.2).
            if action == Action::Send(Verb::Auth) {
                assert_eq!(state, State::Opening, "{cell:?}");
            }
            if state == State::Tls {
                assert_eq!(action, Action::Send(Verb::Lhlo), "{cell:?}");
            }
            // A 3yz answers nothing but DATA and AUTH, and the QUIT that nobody
            // minds.
            if matches!(
                input,
                Input::Greeting(Tone::GoOn)
                    | Input::Recipient(Tone::GoOn, _)
                    | Input::Chunk(Tone::GoOn, _)
                    | Input::Final(Tone::GoOn, _)
            ) {
                panic!("{cell:?}");
            }
            // Nothing is said for a message that was given up.
            if state == State::GivenUp {
                assert!(matches!(action, Action::Wait | Action::Finish | Action::Leave), "{cell:?}");
            }
            // Nothing follows the end.
            assert_ne!(state, State::Over, "{cell:?}");
        }
    }
    assert_eq!(allowed, 102, "a row was added or lost: think, then count again");
}

#[test]
fn groups_end_where_rfc_2920_says() {
    lmtp_testkit::proves!("R2920-3.1-a");
    for then in [None, Some(Input::Begin), Some(Input::Quit)] {
        for input in Input::all() {
            if let Some(next) = following(input, then) {
                let sent = match input {
                    Input::Reply(verb, _) => verb,
                    Input::Recipient(..) => Verb::Rcpt,
                    // The end of the data may be the first of a group (section 3.1).
                    Input::Final(..) => continue,
                    other => panic!("{other:?}"),
                };
                assert!(!sent.ends_group(), "{input:?} is followed by {next:?}");
            }
        }
        assert_eq!(following(Input::Reply(Verb::Rset, Tone::Yes), then), Some(Verb::Mail));
        assert_eq!(following(Input::Reply(Verb::Mail, Tone::Yes), then), Some(Verb::Rcpt));
        assert_eq!(following(Input::Recipient(Tone::Yes, Next::Rcpt), then), Some(Verb::Rcpt));
        assert_eq!(following(Input::Recipient(Tone::Yes, Next::Data), then), Some(Verb::Data));
        // No chunk leaves before every RCPT has its reply (RFC 3030 section 2).
        assert_eq!(following(Input::Recipient(Tone::Yes, Next::Bdat), then), None);
        assert_eq!(following(Input::Chunk(Tone::Yes, More::Follow), then), None);
        assert_eq!(following(Input::Reply(Verb::Data, Tone::GoOn), then), None);
        assert_eq!(following(Input::Reply(Verb::Quit, Tone::Yes), then), None);
        assert_eq!(following(Input::Final(Tone::Yes, More::Follow), then), None);
    }
    let last = Input::Final(Tone::Yes, More::Last);
    assert_eq!(following(last, Some(Input::Begin)), Some(Verb::Mail));
    assert_eq!(following(last, Some(Input::Quit)), Some(Verb::Quit));
    assert_eq!(following(last, None), None);
}

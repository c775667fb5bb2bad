//! What holds for all input: parse and encode are inverse, cuts change nothing,
//! nothing can be injected.

use lmtp_proto::bytes::{Buf, BytesMut};
use lmtp_proto::client::Config;
use lmtp_proto::value::{Capabilities, Command, Domain, MailParams, Mailbox, RcptParams};
use lmtp_proto::{
    Endpoint, Envelope, ForwardPath, Limits, Phase, Reply, ReplyReader, ReversePath, SendQueue, encode_command,
    encode_reply,
};
use lmtp_testkit::effort::cases;
use lmtp_testkit::fuzz;
use lmtp_testkit::memory::{Message, Session, Waiting};
use lmtp_testkit::values::address;
use proptest::prelude::*;

fn reply() -> impl Strategy<Value = Reply> {
    let code = prop_oneof![Just(220_u16), Just(250), Just(354), Just(421), Just(550), 200..600_u16];
    let line = prop_oneof!["[ -~]{0,30}", "[245]\\.[0-9]{1,3}\\.[0-9]{1,3} ?[ -~]{0,9}", "\\PC{0,9}"];
    (code, prop::option::of((0..1000_u16, 0..1000_u16)), prop::collection::vec(line, 1..5)).prop_map(
        |(code, enhanced, lines)| {
            let text = lines.join("\n").replace(['\r', '\0'], " ");
            let enhanced = enhanced.and_then(|(subject, detail)| {
                format!("{}.{subject}.{detail}", code / 100).parse().ok().filter(|_| code / 100 != 3)
            });
            Reply::new(code, enhanced, &text).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(cases(500))]

    /// A reply is what its encoding is read as, however that is cut.
    #[test]
    fn replies_encode_and_parse(reply in reply(), cut in 0_usize..200) {
        let mut queue = SendQueue::new();
        encode_reply(&reply, &mut queue);
        let wire = queue.copy_to_bytes(queue.remaining());
        let (left, right) = wire.split_at(cut.min(wire.len()));
        let (mut reader, mut input) = (ReplyReader::new(), BytesMut::from(left));
        let mut read = reader.read(&mut input, &Limits::default(), Phase::Mail).unwrap();
        input.extend_from_slice(right);
        read = read.or(reader.read(&mut input, &Limits::default(), Phase::Mail).unwrap());
        prop_assert_eq!(read, Some(reply));
        prop_assert!(input.is_empty());
    }

    /// What the fuzz target does, over octets that look like replies.
    #[test]
    fn reply_octets_of_every_kind(
        data in prop::collection::vec(prop_oneof![
            Just("250".to_string()), Just(" ".into()), Just("-".into()), Just("\r\n".into()), Just("\r".into()), Just("\n".into()),
            Just("2.1.5 ".into()), Just("550".into()), "[ -~]{0,5}", Just("x".repeat(2000)),
        ], 0..30).prop_map(|pieces| pieces.concat()),
    ) {
        fuzz::reply(data.as_bytes());
    }

    #[test]
    fn any_octets_at_all(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::reply(&data);
    }

    /// An address is what it is printed as, in brackets and with a source route.
    #[test]
    fn paths_print_and_parse(address in address()) {
        lmtp_testkit::proves!("R5321-2.4-b", "R5321-4.1.2-b", "R5321-4.1.2-c", "R5321-4.1.2-i");
        lmtp_testkit::proves!("R5321-4.1.3-a", "R5321-4.1.3-b", "R6531-3.3-a");
        let mailbox: Mailbox = address.parse().map_err(|error| TestCaseError::fail(format!("{error}")))?;
        prop_assert_eq!(mailbox.to_string(), address.clone());
        prop_assert_eq!(format!("{}@{}", mailbox.local_part(), mailbox.domain()), address.clone());
        prop_assert_eq!(mailbox.is_ascii(), address.is_ascii());
        prop_assert!(mailbox.domain().parse::<Domain>().is_ok());
        for text in [address.clone(), format!("<{address}>"), format!("<@a.b,@[192.0.2.1]:{address}>")] {
            prop_assert_eq!(text.parse::<ForwardPath>().unwrap(), ForwardPath::Mailbox(mailbox.clone()));
            prop_assert_eq!(text.parse::<ReversePath>().unwrap(), ReversePath::Mailbox(mailbox.clone()));
        }
    }

    /// Invariant 35: no value that a caller can make puts CR, LF, NUL or a space
    /// of its own on the wire.
    #[test]
    fn nothing_can_be_injected(text in prop_oneof![
        "\\PC{0,20}", "[a-z@<>.\" \\\\\r\n\0\t]{0,20}", address(), (address(), "[\r\n\0 >\u{85}\u{2028}]", 0_usize..30).prop_map(|(mut address, bad, place)| {
            let place = (0..=place.min(address.len())).rev().find(|&place| address.is_char_boundary(place)).unwrap();
            address.insert_str(place, &bad);
            address
        }),
    ]) {
        lmtp_testkit::proves!("R5321-4.1.2-f");
        let mut commands = Vec::new();
        commands.extend(text.parse().map(|to| Command::Rcpt(to, RcptParams::default())).ok());
        commands.extend(text.parse().map(|from| Command::Mail(from, MailParams::default())).ok());
        commands.extend(text.parse().map(Command::Lhlo).ok());
        for command in commands {
            let mut queue = SendQueue::new();
            encode_command(&command, &mut queue);
            let wire = queue.copy_to_bytes(queue.remaining());
            let line = wire.strip_suffix(b"\r\n").unwrap();
            prop_assert!(!line.iter().any(u8::is_ascii_control), "{:?}", wire);
            // Spaces: the one of the command, and those within quotes.
            let unquoted: String = String::from_utf8_lossy(line).replace("\\\"", "").split('"').step_by(2).collect();
            prop_assert_eq!(unquoted.matches(' ').count(), 1, "{:?}", wire);
        }
    }

    #[test]
    fn endpoints_print_and_parse(text in "(unix:/[ -~]{1,20}|(lmtp|lmtps|lmtp\\+starttls)://([a-z0-9.-]{1,12}|\\[::[0-9a-f]{1,4}\\])(:[0-9]{1,5})?)") {
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
        }
    }

    /// Capabilities keep every line.
    #[test]
    fn capabilities_keep_what_was_said(lines in prop::collection::vec("[!-~][ -~]{0,20}", 1..8)) {
        let reply = Reply::new(250, None, &lines.join("\n")).unwrap();
        prop_assume!(reply.enhanced().is_none());
        let offered = Capabilities::from(&reply);
        let kept: Vec<_> = offered.extensions().map(|extension| extension.as_str().to_string()).collect();
        prop_assert_eq!(&kept[..], &lines[1..]);
        for extension in offered.extensions() {
            prop_assert!(offered.extension(&extension.keyword().to_lowercase()).is_some());
        }
    }

    /// However a server's octets are cut, whatever they are: the same commands,
    /// the same events, the same answers. (The transcripts do the same at every
    /// place.)
    #[test]
    fn cuts_change_nothing(
        replies in prop::collection::vec(prop_oneof![
            8 => Just("250 ok\r\n".to_string()), 2 => Just("354 go\r\n".into()), 1 => Just("550 no\r\n".into()), 1 => Just("421 bye\r\n".into()),
            1 => Just("250-a\r\n250 PIPELINING\r\n".into()), 1 => "[ -~]{0,9}(\r\n|\n)", 1 => Just("250-a\r\n551 b\r\n".into()),
        ], 0..12),
        cuts in prop::collection::vec(1_usize..9, 1..6),
    ) {
        let said = "220 mx\r\n".to_string() + &replies.concat();
        let whole = hearing_everything(&[said.as_bytes()]);
        let mut pieces = Vec::new();
        let (mut rest, mut lengths) = (said.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
            pieces.push(piece);
            rest = after;
        }
        let cut = hearing_everything(&pieces);
        prop_assert_eq!(&whole.events, &cut.events);
        prop_assert_eq!(&whole.sent, &cut.sent);
        prop_assert_eq!(whole.results(), cut.results());
        prop_assert_eq!(&whole.error, &cut.error);
    }
}

/// A session that writes whenever it wants to, and reads a reply's worth of
/// octets only then: the server never speaks before its turn.
fn hearing_everything(pieces: &[&[u8]]) -> Session {
    let to = ["bob@x", "eve@x", "bob@x"].map(|to| to.parse().unwrap());
    let envelope = Envelope::new("ann@x".parse().unwrap(), to).unwrap();
    let mut config = Config::default();
    config.transcript = true;
    let mut session = Session::new(config, envelope, Message::new("Hi\r\n.\r\n"));
    let all = pieces.concat();
    let mut ends = Vec::new(); // where pieces end
    pieces.iter().fold(0, |end, piece| {
        ends.push(end + piece.len());
        end + piece.len()
    });
    let mut heard = 0;
    // Line by line, each line in its pieces: what is cut within a line is cut.
    for line in all.split_inclusive(|&octet| octet == b'\n') {
        if session.run() != Waiting::ToReceive {
            break;
        }
        let until = heard + line.len();
        while heard < until {
            let next = ends.iter().copied().find(|&end| end > heard).unwrap_or(until).min(until);
            session.hear(&all[heard..next]);
            session.settle();
            heard = next;
        }
    }
    session.run();
    session.eof();
    session.run();
    session
}

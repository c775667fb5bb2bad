//! Commands: what is encoded is parsed, what is wrong has its reply, and nothing
//! that a caller can make breaks out of its line.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use lmtp_proto::bytes::Buf;
use lmtp_proto::value::{
    AttributeValue, AuthResponse, ClientAttribute, ClientAttributes, Command, CommandText, EnvelopeId, LhloName,
    MailParams, MechanismName, OriginalRecipient, Param, RcptParams, ReversePath, Verb,
};
use lmtp_proto::{CommandError, ForwardPath, Leniency, SendQueue, encode_command, parse_command, parse_command_with};
use lmtp_testkit::effort::cases;
use lmtp_testkit::values;
use proptest::prelude::*;

fn lenient() -> Leniency {
    let mut leniency = Leniency::default();
    leniency.local_names = true;
    leniency
}

/// A command as on the wire, without its CRLF.
fn encoded(command: &Command) -> Vec<u8> {
    let mut queue = SendQueue::new();
    encode_command(command, &mut queue);
    let wire = queue.copy_to_bytes(queue.remaining());
    wire.strip_suffix(b"\r\n").expect("a line").to_vec()
}

proptest! {
    #![proptest_config(cases(1000))]

    /// What is encoded is parsed as what it was, in any case of its letters up
    /// to the address, and with white space behind it.
    #[test]
    fn commands_encode_and_parse(command in values::command(), blanks in "[ \t]{0,3}") {
        let line = encoded(&command);
        prop_assert_eq!(parse_command_with(&line, lenient()), Ok(command.clone()), "{:?}", command.to_string());
        let mut other = line;
        let verb = command.verb().as_str().len();
        other[..verb].make_ascii_lowercase();
        other.extend_from_slice(blanks.as_bytes());
        prop_assert_eq!(parse_command_with(&other, lenient()), Ok(command));
    }

    /// Each value is what it is printed as.
    #[test]
    fn values_print_and_parse(mail in values::mail_params(), rcpt in values::rcpt_params(), to in values::client_attributes()) {
        same(mail.body.as_ref())?;
        same(mail.ret.as_ref())?;
        same(mail.envid.as_ref())?;
        same(mail.auth.as_ref())?;
        same(mail.by.as_ref())?;
        same(mail.priority.as_ref())?;
        same(rcpt.notify.as_ref())?;
        same(rcpt.orcpt.as_ref())?;
        same(rcpt.forward.as_ref())?;
        for (attribute, value) in to.iter() {
            same(Some(attribute))?;
            same(Some(value))?;
        }
        if let Some(envid) = &mail.envid {
            prop_assert_eq!(&EnvelopeId::new(&envid.text()).unwrap(), envid);
        }
        if let Some(orcpt) = &rcpt.orcpt {
            let ascii = orcpt.to_ascii().unwrap();
            prop_assert!(ascii.is_ascii());
            prop_assert_eq!(ascii.address(), orcpt.address());
        }
    }

    /// XCLIENT-command-syntax-c: long sets are split, ADDR and NAME last.
    #[test]
    fn long_sets_are_split(all in values::client_attributes(), limit in 40_usize..600) {
        let parts: Vec<_> = all.split(limit).collect();
        for part in &parts {
            prop_assert!(part.iter().count() == 1 || encoded(&Command::Xforward(part.clone())).len() + 2 <= limit);
        }
        for part in all.split(ClientAttributes::LINE) {
            prop_assert!(encoded(&Command::Xforward(part.clone())).len() + 2 <= ClientAttributes::LINE);
        }
        let mut told: Vec<_> = parts.iter().flat_map(ClientAttributes::iter).cloned().collect();
        let places = [ClientAttribute::Addr, ClientAttribute::Name].map(|last| told.iter().position(|(it, _)| *it == last));
        for (place, behind) in places.into_iter().zip([usize::from(places[1].is_some()), 0]) {
            prop_assert!(place.is_none_or(|place| place + 1 + behind == told.len()));
        }
        told.sort_by_key(|(attribute, _)| all.iter().position(|(it, _)| it == attribute));
        prop_assert_eq!(told, all.iter().cloned().collect::<Vec<_>>());
    }

    /// No octets make the parser panic, and what it takes it takes again.
    #[test]
    fn any_octets_at_all(line in prop::collection::vec(any::<u8>(), 0..100)) {
        again(&line)?;
    }

    /// The same for octets that look like commands.
    #[test]
    fn lines_of_every_kind(
        line in prop::collection::vec(prop_oneof![
            Just("MAIL FROM:".to_string()), Just("RCPT TO:".into()), Just("BDAT ".into()), Just("AUTH ".into()), Just("XCLIENT ".into()),
            Just("LHLO ".into()), Just("NOOP".into()), Just("<".into()), Just(">".into()), Just(" ".into()), Just("=".into()),
            Just("a@b".into()), Just("\"".into()), Just("\\".into()), Just("SIZE=".into()), Just("ORCPT=utf-8;".into()),
            Just("+2B".into()), Just("\\x{e9}".into()), Just("\0".into()), Just("\r".into()), "[ -~]{0,5}", "\\PC{0,3}", "[0-9]{0,21}",
        ], 0..12).prop_map(|pieces| pieces.concat()),
    ) {
        again(line.as_bytes())?;
    }

    /// Invariant 35: whatever a caller can make is one line on the wire, of
    /// exactly the words that it should have.
    #[test]
    fn nothing_can_be_injected(
        text in prop_oneof![
            "\\PC{0,20}", "[a-z@<>.;,=+\"\\\\ \r\n\0\t\u{7f}\u{85}\u{2028}\u{202e}]{0,20}", "[a-zA-Z0-9=+;]{1,9}",
            any::<Vec<u8>>().prop_map(|octets| String::from_utf8_lossy(&octets).into_owned()),
            // Nearly good.
            ("[A-Z]{1,5}|rfc822;[a-z]{1,5}|[a-z]{1,5}@[a-z]{1,5}|<[a-z]{1,5}@[a-z]>", "[\r\n\0 >=\u{85}\u{2028}]").prop_flat_map(|(good, bad)| {
                (0..=good.len()).prop_map(move |place| format!("{}{bad}{}", &good[..place], &good[place..]))
            }),
        ],
        octets in any::<Vec<u8>>(),
    ) {
        for command in all_that_can_be_made(&text, octets) {
            let line = encoded(&command);
            prop_assert!(!line.iter().any(u8::is_ascii_control), "{:?}", command);
            let line = String::from_utf8(line).expect("UTF-8");
            prop_assert!(!line.contains(['\u{85}', '\u{2028}', '\u{2029}']), "{:?}", line);
            prop_assert_eq!(words(&line), expected_words(&command), "{:?}", line);
            let told = command.to_string() + &format!("{command:?}");
            prop_assert!(!told.chars().any(char::is_control), "{:?}", told);
        }
    }

    /// No secret is shown, whoever it is shown to.
    #[test]
    fn secrets_are_not_shown(secret in "[ -~]{8,40}", mechanism in "[A-Z]{1,9}") {
        let response = AuthResponse::new(secret.clone().into_bytes());
        let base64 = response.to_base64();
        let command = Command::Auth(mechanism.parse().unwrap(), Some(response.clone()));
        let line = encoded(&command);
        prop_assert!(line.ends_with(base64.as_bytes()), "on the wire it is said");
        let broken = [line.as_slice(), b"*"].concat();
        let shown = [
            format!("{command} {command:?} {command:#?} {response:?} {response:#?}"),
            format!("{:?}", parse_command(&line)),
            format!("{:?} {:?}", parse_command(&broken), parse_command(&broken).unwrap_err().reply()),
            format!("{:?}", AuthResponse::from_base64(&broken)),
        ]
        .concat();
        let octets = format!("{:?}", secret.as_bytes());
        for form in [secret.trim(), &base64, octets.trim_matches(['[', ']'])] {
            // A few characters may stand in any text.
            prop_assert!(form.len() < 6 || !shown.contains(form), "{shown}");
        }
    }
}

fn same<T: FromStr + Display + PartialEq + Debug>(value: Option<&T>) -> Result<(), TestCaseError> {
    let Some(value) = value else { return Ok(()) };
    let parsed = value.to_string().parse::<T>().ok();
    prop_assert_eq!(parsed.as_ref(), Some(value));
    Ok(())
}

fn again(line: &[u8]) -> Result<(), TestCaseError> {
    for leniency in [Leniency::default(), lenient()] {
        match parse_command_with(line, leniency) {
            Ok(command) => {
                prop_assert_eq!(parse_command_with(&encoded(&command), leniency), Ok(command));
            }
            Err(error) => {
                let reply = error.reply();
                prop_assert!(reply.code().get() >= 500 && reply.enhanced().is_some());
                prop_assert!(!reply.to_string().chars().any(char::is_control));
            }
        }
    }
    Ok(())
}

/// Every command that can be made of this, through every constructor.
fn all_that_can_be_made(text: &str, octets: Vec<u8>) -> Vec<Command> {
    fn mail(set: impl FnOnce(&mut MailParams)) -> Command {
        let mut params = MailParams::default();
        set(&mut params);
        Command::Mail(ReversePath::Null, params)
    }
    fn rcpt(set: impl FnOnce(&mut RcptParams)) -> Command {
        let mut params = RcptParams::default();
        set(&mut params);
        Command::Rcpt(ForwardPath::Postmaster, params)
    }
    fn attribute(attribute: ClientAttribute, value: AttributeValue) -> Command {
        Command::Xclient(ClientAttributes::new([(attribute, value)]).unwrap())
    }
    let words = || text.parse::<CommandText>();
    let mut all = Vec::new();
    all.extend(text.parse::<LhloName>().map(Command::Lhlo));
    all.extend(text.parse().map(|from| Command::Mail(from, MailParams::default())));
    all.extend(text.parse().map(|to| Command::Rcpt(to, RcptParams::default())));
    all.extend(ForwardPath::local(text).map(|to| Command::Rcpt(to, RcptParams::default())));
    all.extend(text.parse().map(|ret| mail(|params| params.ret = Some(ret))));
    all.extend(text.parse().map(|body| mail(|params| params.body = Some(body))));
    all.extend(text.parse().map(|by| mail(|params| params.by = Some(by))));
    all.extend(text.parse().map(|priority| mail(|params| params.priority = Some(priority))));
    all.extend(text.parse().map(|auth| mail(|params| params.auth = Some(auth))));
    all.extend(text.parse().map(|envid| mail(|params| params.envid = Some(envid))));
    all.extend(EnvelopeId::new(text).map(|envid| mail(|params| params.envid = Some(envid))));
    for param in
        [Param::new(text, None), Param::new("X", Some(text)), Param::new(text, Some(text))].into_iter().flatten()
    {
        let other = param.clone();
        all.push(mail(|params| params.others.push(param)));
        all.push(rcpt(|params| params.others.push(other)));
    }
    all.extend(text.parse().map(|notify| rcpt(|params| params.notify = Some(notify))));
    all.extend(text.parse().map(|forward| rcpt(|params| params.forward = Some(forward))));
    all.extend(text.parse().map(|orcpt| rcpt(|params| params.orcpt = Some(orcpt))));
    for kind in ["rfc822", "UTF-8", text] {
        all.extend(OriginalRecipient::new(kind, text).map(|orcpt| rcpt(|params| params.orcpt = Some(orcpt))));
    }
    all.extend(words().map(|text| Command::Noop(Some(text))));
    all.extend(words().map(|text| Command::Help(Some(text))));
    all.extend(words().map(Command::Vrfy));
    all.extend(words().map(Command::Expn));
    all.extend(text.parse().map(Command::Trace));
    all.extend(text.parse::<MechanismName>().map(|name| Command::Auth(name, None)));
    all.push(Command::Auth("PLAIN".parse().unwrap(), Some(AuthResponse::new(octets))));
    all.extend(AttributeValue::text(text).map(|value| attribute(ClientAttribute::Name, value)));
    all.extend(text.parse().map(|value| attribute(ClientAttribute::Name, value)));
    all.extend(text.parse().map(|name| attribute(name, AttributeValue::Unavailable)));
    all
}

/// Words of a line; what is in quotes is one.
fn words(line: &str) -> usize {
    let unquoted: String = line.replace("\\\\", "").replace("\\\"", "").split('"').step_by(2).collect();
    unquoted.matches(' ').count() + 1
}

fn expected_words(command: &Command) -> usize {
    match command {
        Command::Data | Command::Rset | Command::Quit | Command::StartTls => 1,
        Command::Noop(text) | Command::Help(text) => 1 + text.as_ref().map_or(0, |text| words(text.as_str())),
        Command::Vrfy(text) | Command::Expn(text) => 1 + words(text.as_str()),
        Command::Mail(_, params) if *params != MailParams::default() => 3,
        Command::Rcpt(_, params) if *params != RcptParams::default() => 3,
        Command::Auth(_, Some(_)) => 3,
        _ => 2,
    }
}

#[test]
fn good_lines() {
    lmtp_testkit::proves!(
        "R5321-4.1.2-h",
        "R2852-4-a",
        "R6710-3-a",
        "R8689-2-a",
        "R3461-4.2-a",
        "XCLIENT-command-syntax-b"
    );
    for (line, canonical) in [
        ("lhlo mx.example", "LHLO mx.example"),
        ("LHLO [IPv6:2001:db8::1]", "LHLO [IPv6:2001:db8::1]"),
        ("mail from:<>", "MAIL FROM:<>"),
        ("MAIL FROM:<a@b> \t", "MAIL FROM:<a@b>"),
        ("MAIL FROM:<MiXeD@Ex.org>", "MAIL FROM:<MiXeD@Ex.org>"),
        ("MAIL FROM:<@x,@y.z:a@b>", "MAIL FROM:<a@b>"),
        ("MAIL FROM:<\"a > b\"@x> SIZE=1", "MAIL FROM:<\"a > b\"@x> SIZE=1"),
        ("MAIL FROM:<jö@bü.example> smtputf8", "MAIL FROM:<jö@bü.example> SMTPUTF8"),
        ("MAIL FROM:<> SIZE=00000000000000000001", "MAIL FROM:<> SIZE=1"),
        ("MAIL FROM:<> SIZE=99999999999999999999", "MAIL FROM:<> SIZE=18446744073709551615"),
        ("MAIL FROM:<> body=8bitmime", "MAIL FROM:<> BODY=8BITMIME"),
        ("MAIL FROM:<> BODY=binaryMIME", "MAIL FROM:<> BODY=BINARYMIME"),
        ("MAIL FROM:<> RET=full ENVID=QQ314159", "MAIL FROM:<> RET=FULL ENVID=QQ314159"),
        ("MAIL FROM:<> ENVID=a+20b", "MAIL FROM:<> ENVID=a+20b"),
        ("MAIL FROM:<> AUTH=<>", "MAIL FROM:<> AUTH=<>"),
        ("MAIL FROM:<> AUTH=e+3Dmc2@example.com", "MAIL FROM:<> AUTH=e+3Dmc2@example.com"),
        ("MAIL FROM:<> BY=120;R", "MAIL FROM:<> BY=120;R"),
        ("MAIL FROM:<> BY=-5;n", "MAIL FROM:<> BY=-5;N"),
        ("MAIL FROM:<> BY=+10;NT", "MAIL FROM:<> BY=10;NT"),
        ("MAIL FROM:<> MT-PRIORITY=-9 REQUIRETLS", "MAIL FROM:<> MT-PRIORITY=-9 REQUIRETLS"),
        ("MAIL FROM:<> MT-PRIORITY=0", "MAIL FROM:<> MT-PRIORITY=0"),
        ("MAIL FROM:<> Xyzzy=1 9-a", "MAIL FROM:<> XYZZY=1 9-A"),
        // A parameter of the other command is an unknown one.
        ("MAIL FROM:<> NOTIFY=NEVER", "MAIL FROM:<> NOTIFY=NEVER"),
        ("RCPT TO:<a@b> SIZE=x", "RCPT TO:<a@b> SIZE=x"),
        ("rcpt to:<POSTMASTER>", "RCPT TO:<postmaster>"),
        ("RCPT TO:<Postmaster@x>", "RCPT TO:<Postmaster@x>"),
        ("RCPT TO:<a@b> NOTIFY=never", "RCPT TO:<a@b> NOTIFY=NEVER"),
        ("RCPT TO:<a@b> NOTIFY=delay,Success", "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY"),
        ("RCPT TO:<a@b> ORCPT=rfc822;bob+2Bx@ex.org", "RCPT TO:<a@b> ORCPT=rfc822;bob+2Bx@ex.org"),
        ("RCPT TO:<a@b> ORCPT=utf-8;user\\x{fc}@ex.org", "RCPT TO:<a@b> ORCPT=utf-8;user\\x{fc}@ex.org"),
        ("RCPT TO:<a@b> ORCPT=utf-8;userü@ex.org", "RCPT TO:<a@b> ORCPT=utf-8;userü@ex.org"),
        // What is no form of RFC 6533 is passed on as it is (section 3).
        ("RCPT TO:<a@b> ORCPT=utf-8;\\x{202e}", "RCPT TO:<a@b> ORCPT=utf-8;\\x{202e}"),
        ("RCPT TO:<a@b> XRCPTFORWARD=a2V5PXZhbA==", "RCPT TO:<a@b> XRCPTFORWARD=a2V5PXZhbA=="),
        ("RCPT TO:<a@b> ignorequota", "RCPT TO:<a@b> IGNOREQUOTA"),
        ("data  ", "DATA"),
        ("RSET\t", "RSET"),
        ("BDAT 5 last", "BDAT 5 LAST"),
        ("BDAT 00000000000000000000000", "BDAT 0"),
        ("BDAT 18446744073709551615", "BDAT 18446744073709551615"),
        ("NOOP hello  world ", "NOOP hello  world"),
        ("NOOP \u{7}", "NOOP"),
        ("NOOP\thello", "NOOP"),
        ("VRFY a@b SMTPUTF8", "VRFY a@b SMTPUTF8"),
        ("EXPN list", "EXPN list"),
        ("HELP", "HELP"),
        ("help mail", "HELP mail"),
        ("StartTLS", "STARTTLS"),
        ("auth plain", "AUTH PLAIN"),
        ("AUTH PLAIN AGEAYg==", "AUTH PLAIN ***"),
        ("AUTH EXTERNAL =", "AUTH EXTERNAL ***"),
        ("xclient name=mx.example Addr=IPV6:2001:db8::1", "XCLIENT NAME=mx.example ADDR=IPV6:2001:db8::1"),
        ("XCLIENT NAME=[unavailable] ADDR=[TempUnavail]", "XCLIENT NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL]"),
        // As it was sent before there was xtext.
        ("XCLIENT HELO=a+b=c", "XCLIENT HELO=a+2Bb+3Dc"),
        ("XFORWARD IDENT=a+2Bb SOURCE=LOCAL X-Y=1", "XFORWARD IDENT=a+2Bb SOURCE=LOCAL X-Y=1"),
        ("TRACE a-b_c.1", "TRACE a-b_c.1"),
    ] {
        assert_eq!(parse_command(line.as_bytes()).expect(line).to_string(), canonical, "{line}");
    }
}

/// The lines that get each reply, " | " between them.
const BAD: &[(&str, &str)] = &[
    ("500 5.5.1", "HELO x | ehlo | XFOO | DATAX | MAIL: | \u{0} | é | STARTTL"),
    // No arguments (R5321-4.1.1-b), or some.
    (
        "501 5.5.2",
        "DATA x | RSET foo | QUIT now | STARTTLS x | DATA\tx | LHLO | LHLO a b | LHLO <x> | \
         LHLO bad_name | LHLO bücher.example | LHLO  x | MAIL | MAIL a@b | MAIL FROM | \
         MAIL FROM <a@b> | MAIL TO:<a@b> | MAIL FROM :<a@b> | MAIL  FROM:<a@b> | RCPT FROM:<a@b> | \
         RCPT | VRFY | EXPN | VRFY \u{7} | TRACE | TRACE a b",
    ),
    // Parameters.
    (
        "501 5.5.2",
        "MAIL FROM:<>SIZE=1 | MAIL FROM:<>  SIZE=1 | MAIL FROM:<> SIZE= | MAIL FROM:<> =5 | \
         MAIL FROM:<> -X=1 | MAIL FROM:<> A=b=c | MAIL FROM:<> A=\u{1} | MAIL FROM:<> A=\u{202e} | \
         MAIL FROM:<>\tSIZE=1 | MAIL FROM:<>> | RCPT TO:<a@b> XRCPTFORWARD=a=== | \
         RCPT TO:<a@b> XRCPTFORWARD=a=b",
    ),
    // BDAT (R3030-2-b).
    ("501 5.5.2", "BDAT | BDAT x | BDAT -1 | BDAT 1 FOO | BDAT 1 LAST x | BDAT 1x | BDAT 5  LAST"),
    // AUTH.
    (
        "501 5.5.2",
        "AUTH | AUTH A.B | AUTH ABCDEFGHIJKLMNOPQRSTU | AUTH X =AAA | AUTH X AAA=BBB | \
         AUTH X A!BC | AUTH X AGEAYg | AUTH X AGEAYg== x | XCLIENT | XCLIENT NAME | XCLIENT =x | \
         XFORWARD NAME=a  ADDR=b | HELP \u{7}",
    ),
    (
        "501 5.5.4",
        "MAIL FROM:<> SIZE | MAIL FROM:<> SIZE=x | MAIL FROM:<> SIZE=000000000000000000001 | \
         MAIL FROM:<> SIZE=1 size=1 | MAIL FROM:<> BODY | MAIL FROM:<> BODY=FOO | \
         MAIL FROM:<> BODY=7BIT BODY=7BIT | MAIL FROM:<> SMTPUTF8=1 | \
         MAIL FROM:<> SMTPUTF8 SMTPUTF8 | MAIL FROM:<> RET=BODY | MAIL FROM:<> RET=FULL RET=HDRS | \
         MAIL FROM:<> ENVID=a+zz | MAIL FROM:<> ENVID=a+2b | MAIL FROM:<> ENVID=a+0Ab | \
         MAIL FROM:<> ENVID=é | MAIL FROM:<> AUTH=a | MAIL FROM:<> AUTH=a+zz@x | MAIL FROM:<> BY | \
         MAIL FROM:<> BY=;R | MAIL FROM:<> BY=1234567890;N | MAIL FROM:<> BY=1;X | \
         MAIL FROM:<> BY=0;R | MAIL FROM:<> BY=-1;R | MAIL FROM:<> MT-PRIORITY=+3 | \
         MAIL FROM:<> MT-PRIORITY=03 | MAIL FROM:<> MT-PRIORITY=10 | MAIL FROM:<> MT-PRIORITY=-0 | \
         MAIL FROM:<> REQUIRETLS=1 | MAIL FROM:<> X=1 x=2 | RCPT TO:<a@b> NOTIFY | \
         RCPT TO:<a@b> NOTIFY=NEVER,FAILURE | RCPT TO:<a@b> NOTIFY=FAILURE,NEVER | \
         RCPT TO:<a@b> NOTIFY=SUCCESS, | RCPT TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY | \
         RCPT TO:<a@b> ORCPT=bob@x | RCPT TO:<a@b> ORCPT=;bob@x | RCPT TO:<a@b> ORCPT=rfc822; | \
         RCPT TO:<a@b> ORCPT=rfc822;a+0D | RCPT TO:<a@b> ORCPT=rfc822;é@x | \
         RCPT TO:<a@b> IGNOREQUOTA=1 | RCPT TO:<a@b> XRCPTFORWARD",
    ),
    // XFORWARD-command-syntax-b.
    (
        "501 5.5.4",
        "XFORWARD HELO=a+20b | XFORWARD HELO=a+0Ab | XFORWARD HELO=é | XFORWARD HELO=<x> | \
         XFORWARD HELO= | XCLIENT NAME=a name=b",
    ),
    (
        "501 5.1.7",
        "MAIL FROM: | MAIL FROM:a@ex.org | MAIL FROM:<@> | MAIL FROM:<a@b | MAIL FROM:<.a@x> | \
         MAIL FROM:<a..b@x> | MAIL FROM: <a@b> | MAIL FROM:<alice> | MAIL FROM:<postmaster> | \
         MAIL FROM:<a@b\u{7}> | MAIL FROM:<<a@b>>",
    ),
    (
        "501 5.1.3",
        "RCPT TO:<> | RCPT TO:a@b | RCPT TO:<a@ex_ample.org> | RCPT TO:<alice> | \
         RCPT TO:<a@[256.1.1.1]> | RCPT TO: <a@b> | RCPT TO:<@x:> | RCPT TO:<@x:alice> | \
         RCPT TO:<a b@x> | RCPT TO:<a@x > | RCPT TO:<é\u{ad}@x>",
    ),
    ("552 5.3.4", "BDAT 18446744073709551616 | BDAT 99999999999999999999 LAST | BDAT 999999999999999999999"),
];

#[test]
fn bad_lines() {
    lmtp_testkit::proves!(
        "R5321-4.1.2-g",
        "R5321-4.1.2-h",
        "R2852-4-a",
        "R6710-3-a",
        "R8689-2-a",
        "R3461-4-a",
        "R3461-4.2-a",
        "R4954-4-f",
    );
    let lines = BAD.iter().flat_map(|(reply, lines)| lines.split(" | ").map(move |line| (*reply, line)));
    for (reply, line) in lines.chain([("500 5.5.2", ""), ("500 5.5.2", "\t "), ("500 5.5.1", " NOOP")]) {
        let error = parse_command(line.as_bytes()).expect_err(line);
        assert!(error.reply().to_string().starts_with(reply), "{line:?}: {}", error.reply());
    }
}

#[test]
fn octets_that_are_no_text() {
    let problem = |line: &[u8]| parse_command(line).unwrap_err();
    assert_eq!(problem(b"\xff\xfe"), CommandError::UnknownVerb);
    assert_eq!(problem(b"VRFY \xff"), CommandError::Syntax(Verb::Vrfy));
    assert_eq!(problem(b"RCPT TO:<a\xff@b>").verb(), Some(Verb::Rcpt));
    assert_eq!(problem(b"MAIL FROM:<> X=\xff"), CommandError::Syntax(Verb::Mail));
    assert_eq!(parse_command(b"NOOP \xff"), Ok(Command::Noop(None)));
    let helo = problem(b"EHLO x").reply();
    assert!(helo.text().contains("LHLO"), "{helo}");
}

#[test]
fn lengths() {
    lmtp_testkit::proves!("R3461-4.2-a", "R3461-4.4-a");
    let line = |n: usize, start: &str, end: &str| parse_command(format!("{start}{}{end}", "a".repeat(n)).as_bytes());
    assert!(line(100, "MAIL FROM:<> ENVID=", "").is_ok() && line(101, "MAIL FROM:<> ENVID=", "").is_err());
    assert!(
        line(493, "RCPT TO:<a@b> ORCPT=rfc822;", "").is_ok() && line(494, "RCPT TO:<a@b> ORCPT=rfc822;", "").is_err()
    );
    assert!(line(252, "RCPT TO:<", "@b>").is_ok() && line(253, "RCPT TO:<", "@b>").is_err());
    assert!(line(255, "TRACE ", "").is_ok() && line(256, "TRACE ", "").is_err());
    assert!(line(255, "XCLIENT NAME=", "").is_ok() && line(256, "XCLIENT NAME=", "").is_err());
    let many = |n| (0..n).map(|i| format!(" X{i}")).collect::<Vec<_>>().concat();
    assert!(parse_command(format!("MAIL FROM:<>{}", many(32)).as_bytes()).is_ok());
    assert!(parse_command(format!("MAIL FROM:<>{}", many(33)).as_bytes()).is_err());
}

#[test]
fn leniency_is_asked_for() {
    let parse = |line: &str, set: fn(&mut Leniency)| {
        assert!(parse_command(line.as_bytes()).is_err(), "{line}");
        let mut leniency = Leniency::default();
        set(&mut leniency);
        parse_command_with(line.as_bytes(), leniency).expect(line).to_string()
    };
    let local = |leniency: &mut Leniency| leniency.local_names = true;
    assert_eq!(parse("RCPT TO:<alice>", local), "RCPT TO:<alice>");
    assert_eq!(parse("RCPT TO:<\"a b\">", local), "RCPT TO:<\"a b\">");
    let spaces = |leniency: &mut Leniency| leniency.extra_spaces = true;
    assert_eq!(parse("MAIL  FROM : <a@b>  SIZE=1", spaces), "MAIL FROM:<a@b> SIZE=1");
    assert_eq!(parse("LHLO  x", spaces), "LHLO x");
    assert!(parse_command_with(b"MAIL FROM:<alice>", lenient()).is_err());
    assert!(parse_command_with(b"RCPT TO:<>", lenient()).is_err());
}

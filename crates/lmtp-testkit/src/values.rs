//! Every value that a command can hold, for property tests.

use lmtp_proto::value::{
    AttributeValue, AuthResponse, AuthSender, BodyType, ByMode, ClientAttribute, ClientAttributes, Command,
    CommandText, DeliverBy, EnvelopeId, ForwardPath, LhloName, MailParams, Mailbox, MechanismName, Notify,
    OriginalRecipient, Param, Priority, RcptParams, RecipientForward, Ret, ReversePath, TraceId,
};
use proptest::option;
use proptest::prelude::*;

/// Addresses by the grammar of RFC 5321 section 4.1.2, widened by RFC 6531.
pub fn address() -> impl Strategy<Value = String> {
    (local_part(), domain()).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

/// Local parts, quoted or not.
pub fn local_part() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\\.[a-zé0-9]{1,5}){0,2}", "\"([ !#-\\[\\]-~é]|\\\\[ -~]){0,9}\"",]
}

/// Names and address literals.
pub fn domain() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?(\\.[a-zü0-9]{1,6}){0,3}",
        any::<std::net::Ipv4Addr>().prop_map(|address| format!("[{address}]")),
        any::<std::net::Ipv6Addr>().prop_map(|address| format!("[IPv6:{address}]")),
    ]
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    parsed(address())
}

/// Senders.
pub fn reverse_path() -> impl Strategy<Value = ReversePath> {
    prop_oneof![1 => Just(ReversePath::Null), 4 => mailbox().prop_map(ReversePath::Mailbox)]
}

/// Recipients, those without a domain among them.
pub fn forward_path() -> impl Strategy<Value = ForwardPath> {
    prop_oneof![
        1 => Just(ForwardPath::Postmaster),
        1 => local_part().prop_map(|name| ForwardPath::local(&name).unwrap()),
        6 => mailbox().prop_map(ForwardPath::Mailbox),
    ]
}

/// The parameters of MAIL.
pub fn mail_params() -> impl Strategy<Value = MailParams> {
    let body = prop_oneof![Just(BodyType::SevenBit), Just(BodyType::EightBitMime), Just(BodyType::BinaryMime)];
    let ret = prop_oneof![Just(Ret::Full), Just(Ret::Headers)];
    let envid = "[ -~]{1,33}".prop_map(|text| EnvelopeId::new(&text).unwrap());
    let auth = prop_oneof![Just(AuthSender::Unknown), mailbox().prop_map(AuthSender::Mailbox)];
    let by = prop_oneof![
        (-DeliverBy::MAX..=DeliverBy::MAX, any::<bool>()).prop_map(|(seconds, trace)| DeliverBy::new(
            seconds,
            ByMode::Notify,
            trace
        )
        .unwrap()),
        (1..=DeliverBy::MAX, any::<bool>())
            .prop_map(|(seconds, trace)| DeliverBy::new(seconds, ByMode::Return, trace).unwrap()),
    ];
    let priority = (-9_i8..=9).prop_map(|number| Priority::new(number).unwrap());
    (
        (option::of(any::<u64>()), option::of(body), any::<bool>(), option::of(ret), option::of(envid)),
        (option::of(auth), option::of(by), option::of(priority), any::<bool>(), others()),
    )
        .prop_map(|(first, second)| {
            let mut params = MailParams::default();
            (params.size, params.body, params.smtputf8, params.ret, params.envid) = first;
            (params.auth, params.by, params.priority, params.require_tls, params.others) = second;
            params
        })
}

/// The parameters of RCPT.
pub fn rcpt_params() -> impl Strategy<Value = RcptParams> {
    let notify = prop::array::uniform3(any::<bool>()).prop_map(|wanted| {
        let kinds = [Notify::SUCCESS, Notify::FAILURE, Notify::DELAY].into_iter().zip(wanted);
        kinds.filter(|(_, wanted)| *wanted).fold(Notify::NEVER, |all, (kind, _)| all.and(kind))
    });
    let orcpt = prop_oneof![
        "[ -~]{1,60}".prop_map(|address| OriginalRecipient::new("rfc822", &address).unwrap()),
        "[ -~éßü日本]{1,40}".prop_map(|address| OriginalRecipient::new("utf-8", &address).unwrap()),
        parsed("[uU][tT][fF]-8;[a-zéßü日本]{1,9}@[a-zéü]{1,9}"),
    ];
    (option::of(notify), option::of(orcpt), option::of(recipient_forward()), any::<bool>(), others()).prop_map(
        |fields| {
            let mut params = RcptParams::default();
            (params.notify, params.orcpt, params.forward, params.ignore_quota, params.others) = fields;
            params
        },
    )
}

fn recipient_forward() -> impl Strategy<Value = RecipientForward> {
    parsed("[a-zA-Z0-9+/]{1,40}={0,2}")
}

fn others() -> impl Strategy<Value = Vec<Param>> {
    let value = option::of("[!-<>-~é]{1,20}");
    prop::collection::vec(("X-?[A-Za-z0-9-]{1,9}", value), 0..3).prop_map(|list| {
        let mut params: Vec<Param> = Vec::new();
        for (keyword, value) in list {
            let known = params.iter().any(|param| param.keyword().as_str().eq_ignore_ascii_case(&keyword));
            params.extend(Param::new(&keyword, value.as_deref()).ok().filter(|_| !known));
        }
        params
    })
}

/// What XCLIENT and XFORWARD tell.
pub fn client_attributes() -> impl Strategy<Value = ClientAttributes> {
    let attribute = prop_oneof![
        4 => prop::sample::select(vec!["NAME", "addr", "Port", "PROTO", "HELO", "LOGIN", "DESTADDR", "TTL", "SOURCE"])
            .prop_map(|name| name.parse::<ClientAttribute>().unwrap()),
        1 => parsed::<ClientAttribute>("[A-Za-z0-9][A-Za-z0-9-]{0,31}"),
    ];
    let value = prop_oneof![
        1 => Just(AttributeValue::Unavailable),
        1 => Just(AttributeValue::TempUnavailable),
        1 => any::<std::net::IpAddr>().prop_map(AttributeValue::from),
        4 => "[!#-'*-:=?-\\[\\]-~]{1,150}".prop_map(|text| AttributeValue::text(&text).unwrap()),
    ];
    prop::collection::vec((attribute, value), 1..9).prop_map(|list| {
        let mut once: Vec<(ClientAttribute, AttributeValue)> = Vec::new();
        for pair in list {
            if !once.iter().any(|(attribute, _)| *attribute == pair.0) {
                once.push(pair);
            }
        }
        ClientAttributes::new(once).unwrap()
    })
}

/// Every command.
pub fn command() -> impl Strategy<Value = Command> {
    let lhlo = domain().prop_filter_map("LHLO is said in ASCII", |name| name.parse::<LhloName>().ok());
    let text = || parsed::<CommandText>("[!-~é]([ -~é]{0,20}[!-~é])?");
    let response = prop::collection::vec(any::<u8>(), 0..40).prop_map(AuthResponse::new);
    let plain = vec![Command::Data, Command::Rset, Command::Quit, Command::StartTls];
    prop_oneof![
        1 => lhlo.prop_map(Command::Lhlo),
        5 => (reverse_path(), mail_params()).prop_map(|(from, params)| Command::Mail(from, params)),
        5 => (forward_path(), rcpt_params()).prop_map(|(to, params)| Command::Rcpt(to, params)),
        2 => prop::sample::select(plain),
        1 => (any::<u64>(), any::<bool>()).prop_map(|(size, last)| Command::Bdat { size, last }),
        1 => option::of(text()).prop_map(Command::Noop),
        1 => option::of(text()).prop_map(Command::Help),
        1 => text().prop_map(Command::Vrfy),
        1 => text().prop_map(Command::Expn),
        2 => (parsed::<MechanismName>("[A-Za-z0-9_-]{1,20}"), option::of(response))
            .prop_map(|(name, response)| Command::Auth(name, response)),
        2 => client_attributes().prop_map(Command::Xclient),
        2 => client_attributes().prop_map(Command::Xforward),
        1 => parsed::<TraceId>("[A-Za-z0-9_.-]{1,40}").prop_map(Command::Trace),
    ]
}

fn parsed<T: std::str::FromStr + std::fmt::Debug>(text: impl Strategy<Value = String>) -> impl Strategy<Value = T>
where
    T::Err: std::fmt::Debug,
{
    text.prop_map(|text| text.parse().unwrap_or_else(|error| panic!("{text:?}: {error:?}")))
}

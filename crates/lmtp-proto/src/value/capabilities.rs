//! What a server offers.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::str;

use super::{ClientAttribute, MechanismName, Reply};
use crate::codec;

/// What a server announced in its reply to LHLO (RFC 5321 section 4.1.1.1).
///
/// Every line is kept, known or not: servers write what they like there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The lines without codes, joined by LF.
    text: Box<str>,
    /// What is asked for with every step of a client, read once.
    pipelining: bool,
    limits: LimitsOffered,
}

/// One line of the reply to LHLO: a keyword and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    line: &'a str,
}

impl<'a> Extension<'a> {
    /// The keyword, in the server's spelling.
    pub fn keyword(&self) -> &'a str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Whether that is the keyword, in any case.
    fn is(&self, keyword: &str) -> bool {
        is_of(self.line.as_bytes(), keyword)
    }

    /// What follows the keyword.
    pub fn parameters(&self) -> &'a str {
        self.line.get(self.keyword().len()..).unwrap_or_default().trim_start()
    }

    /// The whole line.
    pub fn as_str(&self) -> &'a str {
        self.line
    }
}

/// Whether a line begins with that keyword, in any case, and it ends there.
fn is_of(line: &[u8], keyword: &str) -> bool {
    line.split_at_checked(keyword.len()).is_some_and(|(word, rest)| {
        word.eq_ignore_ascii_case(keyword.as_bytes()) && rest.first().is_none_or(|&octet| octet == b' ')
    })
}

impl Capabilities {
    /// The server's name, the first word of its reply to LHLO.
    pub fn server(&self) -> &str {
        self.text.split(['\n', ' ']).next().unwrap_or_default()
    }

    /// All extension lines, in the server's order.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        // Asked for several times a message, where `str::split` is slow to begin.
        let mut rest = Some(&*self.text);
        let lines = core::iter::from_fn(move || {
            let text = rest?;
            let end = memchr::memchr(b'\n', text.as_bytes());
            rest = end.and_then(|end| text.get(end.saturating_add(1)..));
            Some(Extension { line: text.get(..end.unwrap_or(text.len()))? })
        });
        lines.skip(1)
    }

    /// The extension of that keyword, in any case (RFC 5321 section 4.1.1.1).
    pub fn extension(&self, keyword: &str) -> Option<Extension<'_>> {
        self.extensions().find(|extension| extension.is(keyword))
    }

    fn offers(&self, keyword: &str) -> bool {
        self.extension(keyword).is_some()
    }

    /// The parameters of the extension of that keyword, as octets.
    fn parameters(&self, keyword: &str) -> Option<&[u8]> {
        self.extension(keyword).map(|extension| extension.parameters().as_bytes())
    }

    /// PIPELINING (RFC 2920): commands may be sent ahead of their replies.
    pub fn pipelining(&self) -> bool {
        self.pipelining
    }

    /// 8BITMIME (RFC 6152): content may hold octets above 127.
    pub fn eight_bit_mime(&self) -> bool {
        self.offers("8BITMIME")
    }

    /// SMTPUTF8 (RFC 6531): addresses and header may hold UTF-8.
    pub fn smtputf8(&self) -> bool {
        self.offers("SMTPUTF8")
    }

    /// SIZE (RFC 1870), in octets: `None` when not offered, `Some(0)` when
    /// offered without a fixed limit.
    pub fn size(&self) -> Option<u64> {
        // A value that is no number says nothing about a limit.
        self.parameters("SIZE").map(|size| codec::whole(codec::capability::size, size).unwrap_or(0))
    }

    /// CHUNKING (RFC 3030): content may come by BDAT.
    pub fn chunking(&self) -> bool {
        self.offers("CHUNKING")
    }

    /// BINARYMIME (RFC 3030): content may hold any octets, if it comes by BDAT.
    /// Worth nothing without [`chunking`](Self::chunking).
    pub fn binary_mime(&self) -> bool {
        self.offers("BINARYMIME")
    }

    /// ENHANCEDSTATUSCODES (RFC 2034): replies hold enhanced codes.
    pub fn enhanced_status_codes(&self) -> bool {
        self.offers("ENHANCEDSTATUSCODES")
    }

    /// DSN (RFC 3461): RET, ENVID, NOTIFY and ORCPT are taken.
    pub fn dsn(&self) -> bool {
        self.offers("DSN")
    }

    /// STARTTLS (RFC 3207).
    pub fn start_tls(&self) -> bool {
        self.offers("STARTTLS")
    }

    /// AUTH (RFC 4954): the mechanisms, none of them twice; none at all when it
    /// is not offered. A line of the old form `AUTH=PLAIN` counts as well.
    pub fn auth(&self) -> impl Iterator<Item = MechanismName> {
        let lines = self.extensions().map(|extension| extension.as_str().as_bytes());
        let lists = lines.filter_map(|line| codec::whole(codec::capability::auth_line, line));
        let words = lists.flat_map(|list| list.split(|&octet| octet == b' '));
        let mut names: Vec<MechanismName> = Vec::new();
        for name in words.filter_map(|word| str::from_utf8(word).ok()?.parse().ok()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.into_iter()
    }

    /// LIMITS (RFC 9422): all `None` when not offered, or not readable.
    pub fn limits(&self) -> LimitsOffered {
        self.limits
    }

    /// DELIVERBY (RFC 2852): `None` when not offered.
    pub fn deliver_by(&self) -> Option<DeliverByOffer> {
        let parameters = self.parameters("DELIVERBY")?;
        Some(DeliverByOffer { minimum: codec::whole(codec::capability::minimum_by_time, parameters).flatten() })
    }

    /// MT-PRIORITY (RFC 6710): the name of the policy, empty when none is named;
    /// `None` when not offered.
    pub fn priority(&self) -> Option<&str> {
        let name = self.extension("MT-PRIORITY")?.parameters();
        Some(codec::whole(codec::capability::priority_policy, name.as_bytes()).map_or("", |_| name))
    }

    /// REQUIRETLS (RFC 8689).
    pub fn require_tls(&self) -> bool {
        self.offers("REQUIRETLS")
    }

    /// XCLIENT (Postfix, Dovecot): the attributes that it takes; none when it is
    /// not offered.
    pub fn xclient(&self) -> impl Iterator<Item = ClientAttribute> {
        self.attributes("XCLIENT")
    }

    /// XFORWARD (Postfix): the attributes that it takes; none when it is not
    /// offered.
    pub fn xforward(&self) -> impl Iterator<Item = ClientAttribute> {
        self.attributes("XFORWARD")
    }

    fn attributes(&self, keyword: &str) -> impl Iterator<Item = ClientAttribute> {
        let list = self.extension(keyword).map(|extension| extension.parameters()).unwrap_or_default();
        list.split(' ').filter_map(|name| name.parse().ok())
    }

    /// XRCPTFORWARD (Dovecot).
    pub fn xrcptforward(&self) -> bool {
        self.offers("XRCPTFORWARD")
    }

    /// IGNOREQUOTA (Cyrus).
    pub fn ignore_quota(&self) -> bool {
        self.offers("IGNOREQUOTA")
    }

    /// TRACE (Cyrus).
    pub fn trace(&self) -> bool {
        self.offers("TRACE")
    }
}

/// What LIMITS tells (RFC 9422 section 4): `None` where no limit is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LimitsOffered {
    /// MAILMAX: transactions in a session.
    pub mail_max: Option<u32>,
    /// RCPTMAX: recipients in a transaction.
    pub rcpt_max: Option<u32>,
    /// RCPTDOMAINMAX: different domains of recipients in a session.
    pub rcpt_domain_max: Option<u32>,
}

impl LimitsOffered {
    /// All `None` when not readable.
    fn read(parameters: &[u8]) -> Self {
        let mut offered = Self::default();
        let words = parameters.split(|&octet| octet == b' ');
        for word in words.filter(|word| !word.is_empty()) {
            let Some((name, value)) = codec::whole(codec::capability::limit, word) else {
                return Self::default();
            };
            for (known, place) in [
                (&b"MAILMAX"[..], &mut offered.mail_max),
                (b"RCPTMAX", &mut offered.rcpt_max),
                (b"RCPTDOMAINMAX", &mut offered.rcpt_domain_max),
            ] {
                if name.eq_ignore_ascii_case(known) {
                    *place = value;
                }
            }
        }
        offered
    }
}

/// What DELIVERBY tells (RFC 2852 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliverByOffer {
    /// The shortest time for mode R, in seconds, if the server names one.
    pub minimum: Option<u32>,
}

impl From<&Reply> for Capabilities {
    fn from(reply: &Reply) -> Self {
        // Nearly always it is UTF-8, and then this is faster than `text` alone.
        let text = str::from_utf8(reply.octets()).map(Cow::Borrowed);
        let text: Box<str> = text.unwrap_or_else(|_| reply.text()).into();
        let (mut pipelining, mut limits) = (false, None);
        // In one go: lines are short.
        for line in text.as_bytes().split(|&octet| octet == b'\n').skip(1) {
            if is_of(line, "PIPELINING") {
                pipelining = true;
            } else if limits.is_none() && is_of(line, "LIMITS") {
                limits = Some(LimitsOffered::read(line.get("LIMITS".len()..).unwrap_or_default()));
            }
        }
        Self { text, pipelining, limits: limits.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};

    fn announced(lines: &str) -> Capabilities {
        Capabilities::from(&Reply::new(250, None, lines).unwrap())
    }

    #[test]
    fn a_dovecot() {
        lmtp_testkit::proves!("R5321-4.1.1.1-c");
        let offered = announced("dovecot.example Hello\n8BITMIME\nCHUNKING\npipelining\nXCLIENT ADDR PORT\nSIZE 1000");
        assert_eq!(offered.server(), "dovecot.example");
        assert!(offered.pipelining() && offered.eight_bit_mime() && !offered.smtputf8());
        assert_eq!(offered.size(), Some(1000));
        assert_eq!(offered.extension("xclient").unwrap().parameters(), "ADDR PORT");
    }

    #[test]
    fn every_extension() {
        type Offered = fn(&Capabilities) -> bool;
        let flags: [(&str, Offered); 14] = [
            ("pipelining", Capabilities::pipelining),
            ("8BITmime", Capabilities::eight_bit_mime),
            ("SMTPUTF8 foo", Capabilities::smtputf8),
            ("Chunking", Capabilities::chunking),
            ("BINARYMIME", Capabilities::binary_mime),
            ("EnhancedStatusCodes", Capabilities::enhanced_status_codes),
            ("DSN", Capabilities::dsn),
            ("STARTTLS", Capabilities::start_tls),
            ("REQUIRETLS", Capabilities::require_tls),
            ("XRCPTFORWARD", Capabilities::xrcptforward),
            ("IGNOREQUOTA", Capabilities::ignore_quota),
            ("TRACE", Capabilities::trace),
            ("DELIVERBY", |offered| offered.deliver_by().is_some()),
            ("MT-PRIORITY", |offered| offered.priority().is_some()),
        ];
        for (line, offered) in flags {
            assert!(offered(&announced(&format!("x\nOTHER\n{line}"))), "{line}");
            // The first line is no extension, and a longer word is another one.
            assert!(!offered(&announced(&format!("{line}\nX{line}\n{line}X"))) || line.contains(' '), "{line}");
        }
    }

    #[test]
    fn mechanisms_of_either_form() {
        let names = |lines: &str| -> Vec<String> {
            announced(&format!("x\n{lines}")).auth().map(|name| name.as_str().into()).collect()
        };
        assert_eq!(names("AUTH PLAIN login"), ["PLAIN", "LOGIN"]);
        assert_eq!(names("AUTH=PLAIN LOGIN\nauth  SCRAM-SHA-256 PLAIN !?"), ["PLAIN", "LOGIN", "SCRAM-SHA-256"]);
        assert!(names("AUTH\nAUTHX PLAIN\nAUTH ").is_empty());
    }

    #[test]
    fn limits_are_numbers() {
        lmtp_testkit::proves!("R9422-3-a", "R9422-3.7-b");
        let limits = |line: &str| {
            let offered = announced(&format!("x\n{line}")).limits();
            [offered.mail_max, offered.rcpt_max, offered.rcpt_domain_max]
        };
        assert_eq!(limits("LIMITS MAILMAX=3 rcptmax=20 RCPTDOMAINMAX=999999"), [Some(3), Some(20), Some(999_999)]);
        // One bad value is passed over, a bad line is (R9422-3.7-a).
        assert_eq!(limits("LIMITS MAILMAX=0 RCPTMAX=20 FOO=1 BAR"), [None, Some(20), None]);
        assert_eq!(limits("LIMITS MAILMAX RCPTMAX=1000000 RCPTDOMAINMAX=+1"), [None; 3]);
        for line in ["LIMITS", "LIMITS ;;;", "LIMITS MAILMAX=3 ;", "LIMITS MAILMAX=3 =4", "x"] {
            assert_eq!(limits(line), [None; 3], "{line}");
        }
    }

    #[test]
    fn parameters_of_the_rest() {
        let by = |line: &str| announced(&format!("x\n{line}")).deliver_by().map(|by| by.minimum);
        assert_eq!(by("DELIVERBY"), Some(None));
        assert_eq!(by("DELIVERBY 30,x=1"), Some(Some(30)));
        assert_eq!(by("DELIVERBY ,x=1"), Some(None));
        assert_eq!(by("DELIVERBY 1234567890"), Some(None));
        let offered = announced("x\nMT-PRIORITY STANAG4406\nXCLIENT NAME addr X-New *\nXFORWARD HELO");
        assert_eq!(offered.priority(), Some("STANAG4406"));
        assert_eq!(announced("x\nMT-PRIORITY a b").priority(), Some(""));
        let names: Vec<_> = offered.xclient().map(|name| name.to_string()).collect();
        assert_eq!(names, ["NAME", "ADDR", "X-NEW"]);
        assert_eq!(offered.xforward().collect::<Vec<_>>(), [ClientAttribute::Helo]);
        assert_eq!(announced("x").xclient().count(), 0);
    }

    #[test]
    fn odd_lines_are_kept() {
        lmtp_testkit::proves!("CYRUS-docs-b");
        let offered = announced("x\nOk SESSIONID=<cyrus-1>\n\nAUTH=PLAIN\n*!\u{fffd}");
        let lines: Vec<_> = offered.extensions().map(|extension| extension.as_str()).collect();
        assert_eq!(lines, ["Ok SESSIONID=<cyrus-1>", "", "AUTH=PLAIN", "*!\u{fffd}"]);
    }

    #[test]
    fn the_forms_of_size() {
        lmtp_testkit::proves!("R1870-3-c");
        for (line, size) in [
            ("SIZE", Some(0)),
            ("SIZE 0", Some(0)),
            ("size 42", Some(42)),
            ("SIZE forty", Some(0)),
            ("SIZE 99999999999999999999", Some(u64::MAX)),
            ("SIZES 42", None),
        ] {
            assert_eq!(announced(&alloc::format!("x\n{line}")).size(), size, "{line}");
        }
    }
}

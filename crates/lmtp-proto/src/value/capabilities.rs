//! What a server offers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::Reply;
use crate::codec;

/// What a server announced in its reply to LHLO (RFC 5321 section 4.1.1.1).
///
/// Every line is kept, known or not: servers write what they like there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    server: Box<str>,
    extensions: Vec<Extension>,
    pipelining: bool,
    eight_bit_mime: bool,
    smtputf8: bool,
    size: Option<u64>,
}

/// One line of the reply to LHLO: a keyword and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    line: Box<str>,
    keyword: usize,
}

impl Extension {
    /// The keyword, in the server's spelling.
    pub fn keyword(&self) -> &str {
        self.line.get(..self.keyword).unwrap_or_default()
    }

    /// What follows the keyword.
    pub fn parameters(&self) -> &str {
        self.line.get(self.keyword..).unwrap_or_default().trim_start()
    }

    /// The whole line.
    pub fn as_str(&self) -> &str {
        &self.line
    }
}

impl Capabilities {
    /// The server's name, the first word of its reply to LHLO.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// All extension lines, in the server's order.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension of that keyword, in any case (RFC 5321 section 4.1.1.1).
    pub fn extension(&self, keyword: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.keyword().eq_ignore_ascii_case(keyword))
    }

    /// PIPELINING (RFC 2920): commands may be sent ahead of their replies.
    pub fn pipelining(&self) -> bool {
        self.pipelining
    }

    /// 8BITMIME (RFC 6152): content may hold octets above 127.
    pub fn eight_bit_mime(&self) -> bool {
        self.eight_bit_mime
    }

    /// SMTPUTF8 (RFC 6531): addresses and header may hold UTF-8.
    pub fn smtputf8(&self) -> bool {
        self.smtputf8
    }

    /// CHUNKING (RFC 3030).
    pub fn chunking(&self) -> bool {
        self.extension("CHUNKING").is_some()
    }

    /// BINARYMIME (RFC 3030).
    pub fn binary_mime(&self) -> bool {
        self.extension("BINARYMIME").is_some()
    }

    /// SIZE (RFC 1870), in octets: `None` when not offered, `Some(0)` when
    /// offered without a fixed limit.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

impl From<&Reply> for Capabilities {
    fn from(reply: &Reply) -> Self {
        let mut lines = reply.lines().map(String::from_utf8_lossy);
        let first = lines.next().unwrap_or_default();
        let extensions: Vec<Extension> =
            lines.map(|line| Extension { keyword: line.find(' ').unwrap_or(line.len()), line: line.into() }).collect();
        let mut capabilities = Self {
            server: first.split(' ').next().unwrap_or_default().into(),
            extensions,
            pipelining: false,
            eight_bit_mime: false,
            smtputf8: false,
            size: None,
        };
        let offers = |keyword| capabilities.extension(keyword).is_some();
        let size = capabilities.extension("SIZE").map(|size| {
            // A value that is no number says nothing about a limit.
            codec::whole(codec::capability::size, size.parameters().as_bytes()).unwrap_or(0)
        });
        (capabilities.pipelining, capabilities.eight_bit_mime, capabilities.smtputf8, capabilities.size) =
            (offers("PIPELINING"), offers("8BITMIME"), offers("SMTPUTF8"), size);
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(lines: &str) -> Capabilities {
        Capabilities::from(&Reply::new(250, None, lines).unwrap())
    }

    #[test]
    fn a_dovecot() {
        let offered = announced("dovecot.example Hello\n8BITMIME\nCHUNKING\npipelining\nXCLIENT ADDR PORT\nSIZE 1000");
        assert_eq!(offered.server(), "dovecot.example");
        assert!(offered.pipelining() && offered.eight_bit_mime() && !offered.smtputf8());
        assert_eq!(offered.size(), Some(1000));
        assert_eq!(offered.extension("xclient").unwrap().parameters(), "ADDR PORT");
    }

    #[test]
    fn odd_lines_are_kept() {
        let offered = announced("x\nOk SESSIONID=<cyrus-1>\n\nAUTH=PLAIN\n*!\u{fffd}");
        let lines: Vec<_> = offered.extensions().iter().map(Extension::as_str).collect();
        assert_eq!(lines, ["Ok SESSIONID=<cyrus-1>", "", "AUTH=PLAIN", "*!\u{fffd}"]);
    }

    #[test]
    fn the_forms_of_size() {
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

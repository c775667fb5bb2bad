//! What the server saw of a client.

use crate::check::Level;
use crate::run::shown;

/// A rule that holds in every check, and how it was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) law: &'static Law,
    pub(super) how: String,
}

/// A rule that holds in every check.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Law {
    pub(super) rule: &'static str,
    pub(super) level: Level,
    pub(super) section: &'static str,
}

macro_rules! laws {
    ($($name:ident $level:ident $section:literal $rule:literal,)+) => {
        $(pub(super) static $name: Law = Law { rule: $rule, level: Level::$level, section: $section };)+
        #[cfg(test)]
        pub(super) static LAWS: &[&Law] = &[$(&$name),+];
    };
}

laws! {
    OPENS_WITH_LHLO Must "RFC 2033 4.1" "R2033-4.1-f",
    CRLF_ENDS_LINES Must "RFC 5321 2.3.8" "R5321-2.3.8-a",
    NO_BARE_CR_LF Must "RFC 5321 2.3.8" "R5321-2.3.8-b",
    SEVEN_BITS Must "RFC 5321 2.4" "R5321-2.4-c",
    SEVEN_BITS_OF_CONTENT Must "RFC 6152 3" "R6152-3-b",
    NO_CONTENT_BEFORE_354 Must "RFC 5321 3.3" "R5321-3.3-d",
    PATHS_AS_THEY_ARE Must "RFC 5321 3.3" "R5321-3.3-g",
    ASKED_FOR Must "RFC 5321 4.1.2" "R5321-4.1.2-f",
    OFFERED_PARAMETERS Must "RFC 5321 4.1.1.3" "R5321-4.1.1.3-a",
    OFFERED_COMMANDS Must "RFC 2033 4" "R2033-4-a",
    SMTPUTF8_IS_SAID Must "RFC 6531 3.4" "R6531-3.4-a",
    WAITS Must "RFC 5321 4.3.1" "R5321-4.3.1-a",
    LAST_IN_A_GROUP Must "RFC 2920 3.1" "R2920-3.1-a",
    DOTS_ARE_STUFFED Must "RFC 5321 4.5.2" "R5321-4.5.2-a",
    LINES_HAVE_ENDS Must "RFC 5321 4.1.1.4" "R5321-4.1.1.4-d",
    GREETING_IS_AWAITED Should "RFC 5321 4.3.1" "R5321-4.3.1-a",
    DELIVERED_IS_TRUE Must "RFC 2033 4.2" "R2033-4.2-j",
    EVERYBODY_IS_TOLD Must "RFC 2033 4.2" "R2033-4.2-i",
}

/// All that was seen of a connection.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Lines of `C:` and `S:`.
    pub(super) transcript: Vec<String>,
    /// Commands, without their line ends.
    pub(super) commands: Vec<String>,
    /// Whole messages, without stuffing.
    pub(super) contents: Vec<Vec<u8>>,
    pub(super) breaches: Vec<Breach>,
    /// The paths of RCPT, in the order in which they came.
    pub(super) rcpts: Vec<String>,
    /// Whom the content came for, and the code of the final reply, if there was a whole one.
    pub(super) finals: Vec<(String, Option<u16>)>,
}

impl Record {
    pub(super) fn breach(&mut self, law: &'static Law, how: impl Into<String>) {
        self.breaches.push(Breach { law, how: how.into() });
    }

    pub(super) fn show(&mut self, who: char, octets: &[u8]) {
        const MOST: usize = 12;
        let lines: Vec<&[u8]> = octets.split_inclusive(|&octet| octet == b'\n').collect();
        for (place, line) in lines.iter().enumerate() {
            if lines.len() > MOST && (MOST / 2..lines.len() - 2).contains(&place) {
                if place == MOST / 2 {
                    self.note(&format!("… {} lines", lines.len() - 2 - MOST / 2));
                }
                continue;
            }
            let end = if line.ends_with(b"\r\n") { "" } else { " (no CRLF)" };
            self.transcript.push(format!("{who}: {}{end}", shown(line)));
        }
    }

    pub(super) fn note(&mut self, note: &str) {
        self.transcript.push(format!("-- {note}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_are_in_the_catalogue_of_requirements() {
        let known = include_str!("../../../../docs/requirements.toml");
        for law in LAWS {
            assert!(known.contains(&format!("id = \"{}\"", law.rule)), "no rule {}", law.rule);
        }
    }
}

//! Text from the other side of a wire, made safe to print.
//!
//! A peer chooses every octet of its replies. Shown raw, it could move the
//! cursor, forge a log line or turn a sentence around. There is one function
//! for it, this one, so that no path can forget it.

use core::fmt;

/// Octets as a human may safely see them: control characters, bidirectional
/// overrides and line separators escaped, invalid UTF-8 as U+FFFD.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\t' => f.write_str("\\t")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c if misleads(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                    c => f.write_char(c)?,
                }
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Whether a character leaves a mark where it stands.
pub(crate) fn is_visible(c: char) -> bool {
    !(misleads(c) || c.is_whitespace())
}

/// C1 controls, and what reorders, breaks or fills a line without being seen.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{ad}' | '\u{180e}' | '\u{200b}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn hostile_octets_are_escaped() {
        let shown = Escaped(b"a\x1b[2J\r\nb\xff\xc2\x85\xe2\x80\xae \xc3\xa9").to_string();
        assert_eq!(shown, "a\\x1b[2J\\r\\nb\u{fffd}\\u{85}\\u{202e} é");
    }

    #[test]
    fn no_octet_yields_a_control_character() {
        for octet in 0..=u8::MAX {
            let shown = Escaped(&[octet]).to_string();
            assert!(!shown.chars().any(char::is_control), "{octet:#x} gave {shown:?}");
        }
    }
}

//! Kinds of octets, as tables: one look for each octet of a line.

/// A set of octets.
pub(crate) struct Kind([bool; 256]);

impl Kind {
    /// Whether the octet is of this kind.
    #[inline]
    pub(crate) fn has(&self, octet: u8) -> bool {
        self.0.get(usize::from(octet)).is_some_and(|has| *has)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $pattern:pat,)*) => {
        $($(#[$doc])*
        pub(crate) static $name: Kind = {
            let mut table = [false; 256];
            let mut octet = 0_u8;
            #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "checked when compiled")]
            loop {
                table[octet as usize] = matches!(octet, $pattern);
                if octet == u8::MAX {
                    break;
                }
                octet += 1;
            }
            Kind(table)
        };)*
    };
}

kinds! {
    /// `atext = ALPHA / DIGIT / "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" /
    /// "/" / "=" / "?" / "^" / "_" / "`" / "{" / "|" / "}" / "~"` (RFC 5322
    /// section 3.2.3)
    ATEXT = b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/'..=b'9' | b'=' | b'?' | b'A'..=b'Z' | b'^'..=b'~',
    /// `ALPHA / DIGIT / "-"`
    LDH = b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-',
    /// `esmtp-value = 1*( %d33-60 / %d62-126 )` (RFC 5321 section 4.1.2)
    VALUE = 33..=60 | 62..=126,
    /// `xchar = %x21-2A / %x2C-3C / %x3E-7E` (RFC 3461 section 4)
    XCHAR = 0x21..=0x2A | 0x2C..=0x3C | 0x3E..=0x7E,
    /// `base64-char = ALPHA / DIGIT / "+" / "/"` (RFC 4954 section 8)
    BASE64 = b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'/',
}

//! Who a client is.

use core::fmt;
use core::str::FromStr;

use super::{AddressProblem, Domain, InvalidAddress};

/// The name that a client gives in LHLO: a domain or address literal, in ASCII
/// also where the server offers SMTPUTF8 (RFC 6531 section 3.7.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LhloName(Domain);

impl LhloName {
    /// The name.
    pub fn domain(&self) -> &Domain {
        &self.0
    }
}

/// `localhost`.
impl Default for LhloName {
    fn default() -> Self {
        Self(Domain::localhost())
    }
}

impl TryFrom<Domain> for LhloName {
    type Error = InvalidAddress;

    fn try_from(domain: Domain) -> Result<Self, Self::Error> {
        if domain.is_ascii() {
            Ok(Self(domain))
        } else {
            Err(InvalidAddress::new(domain.as_str(), "a name for LHLO", AddressProblem::NotAscii))
        }
    }
}

impl FromStr for LhloName {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Domain>()?.try_into()
    }
}

impl fmt::Display for LhloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_in_ascii() {
        assert_eq!("mx.example.org".parse::<LhloName>().unwrap().domain().as_str(), "mx.example.org");
        let error = "b\u{fc}cher.example".parse::<LhloName>().unwrap_err();
        assert_eq!(error.problem(), AddressProblem::NotAscii);
        assert!("a\r\nb".parse::<LhloName>().is_err());
    }
}

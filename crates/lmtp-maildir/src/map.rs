//! Files that say something of addresses: a table of mailboxes, a table of aliases.

use std::collections::BTreeMap;
use std::str::FromStr;

use lmtp_proto::value::{LocalPart, Mailbox};

use crate::component::RelativePath;

/// What is said of addresses, one a line: `bob@example.org value`, spaces or tabs
/// between. Lines that are empty or begin with `#` say nothing.
///
/// An address without a domain stands for that name at every domain and for the one
/// that came without a domain, such as `postmaster`. Case makes no difference. No
/// line stands for all the names of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map<T>(BTreeMap<(String, Option<String>), T>);

/// Whose mailbox is where: `bob@example.org  example.org/bob`.
pub type Table = Map<RelativePath>;

/// Who is another: `webmaster@example.org  bob@example.org`. It is one other: a
/// list of several belongs to the mail system in front, which can tell what became
/// of each.
pub type Aliases = Map<Mailbox>;

impl<T> Map<T> {
    /// What is said of that name, at that domain or at any.
    pub(crate) fn find(&self, user: &str, domain: Option<&str>) -> Option<&T> {
        let find = |domain: Option<&str>| self.0.get(&(folded(user), domain.map(folded)));
        domain.and_then(|domain| find(Some(domain))).or_else(|| find(None))
    }
}

/// Nothing is said.
impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// One way to write what case makes no difference to.
pub(crate) fn folded(text: &str) -> String {
    text.to_lowercase()
}

impl<T: FromStr> FromStr for Map<T> {
    type Err = InvalidMap;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut map = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |problem| InvalidMap { line: number, problem };
            let (address, value) = line.split_once([' ', '\t']).ok_or(fail("it says an address and nothing of it"))?;
            let key = key(address).ok_or(fail("it does not begin with an address or a name"))?;
            let value = value.trim().parse().map_err(|_| fail("what it says of the address cannot be"))?;
            if map.insert(key, value).is_some() {
                return Err(fail("an earlier line has the same address"));
            }
        }
        Ok(Self(map))
    }
}

fn key(address: &str) -> Option<(String, Option<String>)> {
    if let Ok(mailbox) = address.parse::<Mailbox>() {
        return Some((folded(&mailbox.unquoted_local_part()), Some(folded(mailbox.domain()))));
    }
    let local: LocalPart = address.parse().ok()?;
    Some((folded(&local.unquoted()), None))
}

/// A line that says nothing that could be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct InvalidMap {
    /// Its number, from 1.
    pub line: usize,
    problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_line_is_found() {
        let table: Table = "# mailboxes\n\nBob@Example.org\texample.org/bob\n bob  any/bob\npostmaster any/ops\n\
            \"\\e\\v\\e\"@example.org e"
            .parse()
            .unwrap();
        let find = |user, domain| table.find(user, domain).map(ToString::to_string);
        assert_eq!(find("BOB", Some("EXAMPLE.org")).as_deref(), Some("example.org/bob"));
        assert_eq!(find("bob", Some("example.net")).as_deref(), Some("any/bob"));
        assert_eq!(find("postmaster", None).as_deref(), Some("any/ops"));
        assert_eq!(find("eve", Some("example.org")).as_deref(), Some("e"));
        assert_eq!(find("eve", None), None);
    }

    #[test]
    fn bad_lines_are_told_by_number() {
        for (text, line) in [
            ("bob@x", 1),
            ("# a\nbob@x ../up", 2),
            ("bob@x /etc", 1),
            ("b ob", 0),
            ("@x a", 1),
            ("a..b@x a", 1),
            ("bob@x a\n\nBOB@X b", 3),
        ] {
            let told = text.parse::<Table>().err().map_or(0, |error| error.line);
            assert_eq!(told, line, "{text:?}");
        }
        assert!("bob@x eve".parse::<Aliases>().is_err() && "bob@x eve@x".parse::<Aliases>().is_ok());
    }
}

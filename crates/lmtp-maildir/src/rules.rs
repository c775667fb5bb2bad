//! From an address to a place beneath the root.

use lmtp_proto::ForwardPath;
use lmtp_proto::value::{Domain, Mailbox};

use crate::component::RelativePath;
use crate::map::{Aliases, Table, folded};
use crate::template::Template;

/// Which mailbox is whose.
///
/// Asked in this order, the first that knows the address says where it is: aliases,
/// the table, the postmaster's rule, the template. What came over the wire becomes at
/// most one step of a path, and only if it can be one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rules {
    /// The domains that are served; `None` for whatever the others know. An address
    /// without a domain is always ours.
    pub domains: Option<Vec<Domain>>,
    /// Who is another. Asked again with what they say, ten times at most.
    pub aliases: Aliases,
    /// Mailboxes named one by one.
    pub table: Table,
    /// Where everybody else's mailbox is, if there is a rule.
    pub template: Option<Template>,
    /// Whether `Bob` and `bob` are two in the template. A domain's case never
    /// matters.
    pub case_sensitive: bool,
    /// Who gets what is for `postmaster`, without a domain or at any of ours
    /// (RFC 5321 section 4.5.1).
    pub postmaster: Option<Mailbox>,
    /// What ends the name and begins the detail, as in `bob+lists`. The first one
    /// counts, unless the name would be empty. Aliases and the table are asked for the
    /// whole first.
    pub delimiter: Option<char>,
    /// What a detail is for.
    pub folders: Folders,
}

/// What is done with the detail of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Folders {
    /// Nothing: all goes into the inbox.
    #[default]
    Ignore,
    /// It names a Maildir++ folder. One that is not there, or a detail that is no
    /// name for one, means the inbox.
    Existing,
    /// As `Existing`, but a folder that is not there is made. Whoever can send mail
    /// can then make folders.
    Create,
}

/// `{domain}/{user}`, case makes no difference, no details, nobody for postmaster.
impl Default for Rules {
    fn default() -> Self {
        Self {
            domains: None,
            aliases: Aliases::default(),
            table: Table::default(),
            template: Some(Template::default()),
            case_sensitive: false,
            postmaster: None,
            delimiter: None,
            folders: Folders::default(),
        }
    }
}

/// Where mail for an address goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The mailbox beneath the root.
    pub(crate) mailbox: RelativePath,
    /// The directory of a Maildir++ folder in it: a dot and its name.
    pub(crate) folder: Option<String>,
}

/// Why an address has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Nobody knows it.
    Unknown,
    /// Aliases that lead to each other.
    Circle,
}

/// How many aliases may stand behind one another.
const ALIASES: usize = 10;

impl Rules {
    /// Where mail for that recipient goes.
    pub(crate) fn place(&self, recipient: &ForwardPath) -> Result<Place, NoPlace> {
        let (mut user, mut domain) = parts(recipient);
        if let (Some(served), ForwardPath::Mailbox(mailbox)) = (&self.domains, recipient)
            && !served.iter().any(|domain| folded(domain.as_str()) == folded(mailbox.domain()))
        {
            return Err(NoPlace::Unknown);
        }
        let mut detail = None;
        let mut is_postmaster = false;
        for _ in 0..=ALIASES {
            let (name, own_detail) = self.split(&user);
            detail = own_detail.map(str::to_owned).or(detail);
            let place = |mailbox| Ok(Place { mailbox, folder: self.folder(detail.as_deref()) });
            let ways = [user.as_str(), name];

            let alias = ways.iter().find_map(|user| self.aliases.find(user, domain.as_deref()));
            if let Some(path) = ways.iter().find_map(|user| self.table.find(user, domain.as_deref()))
                && alias.is_none()
            {
                return place(path.clone());
            }
            // Once: its own mailbox may be the one of that name.
            let postmaster = self.postmaster.as_ref().filter(|_| !is_postmaster && folded(name) == "postmaster");
            is_postmaster |= alias.is_none() && postmaster.is_some();
            let Some(other) = alias.or(postmaster) else {
                let name = if self.case_sensitive { name.to_owned() } else { folded(name) };
                let path = self.template.as_ref().and_then(|template| template.path(&name, domain.as_deref()));
                return path.map_or(Err(NoPlace::Unknown), place);
            };
            (user, domain) = (other.unquoted_local_part().into_owned(), Some(folded(other.domain())));
        }
        Err(NoPlace::Circle)
    }

    /// The name and the detail.
    fn split<'a>(&self, user: &'a str) -> (&'a str, Option<&'a str>) {
        let parts = self.delimiter.and_then(|delimiter| user.split_once(delimiter));
        match parts {
            Some((name, detail)) if !name.is_empty() => (name, Some(detail)),
            _ => (user, None),
        }
    }

    fn folder(&self, detail: Option<&str>) -> Option<String> {
        let detail = detail.filter(|detail| self.folders != Folders::Ignore && is_folder(detail))?;
        Some(format!(".{detail}"))
    }
}

fn parts(recipient: &ForwardPath) -> (String, Option<String>) {
    match recipient {
        ForwardPath::Postmaster => ("postmaster".to_owned(), None),
        ForwardPath::Local(local) => (local.unquoted().into_owned(), None),
        ForwardPath::Mailbox(mailbox) => (mailbox.unquoted_local_part().into_owned(), Some(folded(mailbox.domain()))),
    }
}

/// Whether a detail is the name of a folder, levels with dots between them. Others than
/// these letters would have to be encoded (RFC 3501 section 5.1.3).
fn is_folder(detail: &str) -> bool {
    let letters = |level: &str| level.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    let levels = || detail.split('.');
    detail.len() <= 100
        && levels().all(|level| !level.is_empty() && letters(level))
        && !levels().next().is_some_and(|level| level.eq_ignore_ascii_case("inbox"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(rules: &Rules, address: &str) -> Result<String, NoPlace> {
        let recipient = address.parse().or_else(|_| ForwardPath::local(address)).expect(address);
        let Place { mailbox, folder } = rules.place(&recipient)?;
        Ok(folder.map_or(mailbox.to_string(), |folder| format!("{mailbox}/{folder}")))
    }

    fn check(rules: &Rules, cases: &[(&str, &str)]) {
        for (address, expected) in cases {
            let expected = if expected.is_empty() { Err(NoPlace::Unknown) } else { Ok((*expected).to_owned()) };
            assert_eq!(place(rules, address), expected, "{address}");
        }
    }

    #[test]
    fn a_template_alone() {
        let rules = Rules::default();
        check(
            &rules,
            &[
                ("Bob@Example.ORG", "example.org/bob"),
                ("\"b\\ob\"@example.org", "example.org/bob"),
                ("bob+x@example.org", "example.org/bob+x"),
                ("\"../../etc\"@x", ""),
                ("\"a/b\"@x", ""),
                ("\".\"@x", ""),
                ("\".hidden\"@x", ""),
                ("\"\"@x", ""),
                ("postmaster", ""),
                ("bob", ""),
            ],
        );
        let rules = Rules { case_sensitive: true, template: "{user}".parse().ok(), ..rules };
        check(&rules, &[("Bob@x", "Bob"), ("bob", "bob"), ("postmaster", "postmaster")]);
        check(&Rules { template: None, ..rules }, &[("bob@x", "")]);
    }

    #[test]
    fn only_domains_that_are_served() {
        let domains = Some(vec!["example.org".parse().unwrap(), "[192.0.2.1]".parse().unwrap()]);
        let rules = Rules { domains, template: "{user}".parse().ok(), ..Rules::default() };
        check(&rules, &[("a@EXAMPLE.org", "a"), ("a@[192.0.2.1]", "a"), ("a@example.net", ""), ("a", "a")]);
    }

    #[test]
    fn aliases_then_the_table_then_the_template() {
        let rules = Rules {
            aliases: "info@x bob@x\nbob@z bob@y\nself@x self@x\nsales+eu@x eve@x\nown@x own@x".parse().unwrap(),
            table: "bob@x tables/bob\ninfo@x never\nops o\nbob+mail@x b+m".parse().unwrap(),
            delimiter: Some('+'),
            folders: Folders::Existing,
            ..Rules::default()
        };
        check(
            &rules,
            &[
                ("info@x", "tables/bob"),
                ("info+a@x", "tables/bob/.a"),
                ("bob@z", "y/bob"),
                ("bob+mail@x", "b+m/.mail"),
                ("ops@x", "o"),
                ("ops", "o"),
                ("sales+eu@x", "x/eve/.eu"),
                ("sales+us@x", "x/sales/.us"),
            ],
        );
        assert_eq!(place(&rules, "self@x"), Err(NoPlace::Circle));
    }

    /// R5321-4.5.1-b: in any case of letters, at every domain and at none.
    #[test]
    fn postmaster_goes_where_the_configuration_says() {
        lmtp_testkit::proves!("R5321-4.5.1-b");
        let all = ["postmaster", "PostMaster@x", "\"postm\\aster\"@y", "POSTMASTER@[192.0.2.1]"];
        for target in ["bob@x", "postmaster@x"] {
            let rules = Rules { postmaster: target.parse().ok(), ..Rules::default() };
            let expected = format!("x/{}", target.split_once('@').unwrap().0);
            for address in all {
                check(&rules, &[(address, &expected)]);
            }
        }
        let rules = Rules {
            postmaster: "bob@x".parse().ok(),
            aliases: "postmaster@y eve@y".parse().unwrap(),
            ..Rules::default()
        };
        check(&rules, &[("postmaster", "x/bob"), ("postmaster@x", "x/bob"), ("Postmaster@y", "y/eve")]);
    }

    #[test]
    fn details_name_folders_when_asked() {
        let mut rules = Rules { delimiter: Some('-'), ..Rules::default() };
        check(&rules, &[("bob-lists@x", "x/bob"), ("-a@x", "x/-a")]);
        rules.folders = Folders::Create;
        check(
            &rules,
            &[
                ("Bob-Lists-Rust@x", "x/bob/.Lists-Rust"),
                ("bob-lists.rust@x", "x/bob/.lists.rust"),
                ("bob-@x", "x/bob"),
                ("bob-inbox@x", "x/bob"),
                ("bob-INBOX.x@x", "x/bob"),
                ("\"bob-../../up\"@x", "x/bob"),
                ("\"bob-.\"@x", "x/bob"),
                ("\"bob-a..b\"@x", "x/bob"),
                ("\"bob-a/b\"@x", "x/bob"),
                ("bob-l\u{ef}sts@x", "x/bob"),
            ],
        );
    }
}

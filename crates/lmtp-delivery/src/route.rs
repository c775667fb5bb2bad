//! Who goes where.

use std::collections::{BTreeMap, HashMap};

use lmtp_tokio::ForwardPath;

use crate::options::{Options, Problem};

/// The targets of a recipient, by their places, in the order in which to ask them.
pub(crate) type Targets = Vec<usize>;

/// Who goes where, by address, then by domain, then by default. A domain that is written in capitals is no other
/// domain. A local part may be another one (RFC 5321 section 2.4): a route that is written just so goes first.
#[derive(Debug)]
pub(crate) struct Routes {
    /// By what [`exactly`] makes of an address or a domain, and in small letters where nothing else is written so.
    routes: HashMap<String, Targets>,
    default: Option<Targets>,
}

impl Routes {
    /// The routes over targets in the order of their names.
    ///
    /// # Errors
    ///
    /// One leads nowhere.
    pub(crate) fn new(options: &Options) -> Result<Self, Problem> {
        let places: BTreeMap<&str, usize> = options.targets.keys().map(String::as_str).zip(0..).collect();
        let targets = |place: String, names: &[String]| {
            if names.is_empty() {
                return Err(Problem { place, why: "names no target".into() });
            }
            let find = |name: &String| {
                let why = || format!("there is no target {name:?}");
                places.get(name.as_str()).copied().ok_or_else(|| Problem { place: place.clone(), why: why() })
            };
            names.iter().map(find).collect::<Result<Targets, _>>()
        };
        let (mut routes, mut folded) = (HashMap::new(), Vec::new());
        for (whose, names) in &options.routes {
            let place = format!("routes.{whose:?}");
            let targets = targets(place.clone(), names)?;
            folded.push((whose.to_lowercase(), targets.clone()));
            if routes.insert(exactly(whose), targets).is_some() {
                return Err(Problem { place, why: "there is another route for it".into() });
            }
        }
        for (whose, targets) in folded {
            routes.entry(whose).or_insert(targets);
        }
        let default = match options.default.as_slice() {
            [] if routes.is_empty() => return Err(Problem { place: "default".into(), why: "names no target".into() }),
            [] => None,
            names => Some(targets("default".into(), names)?),
        };
        Ok(Self { routes, default })
    }

    /// The targets of a recipient, if there are any.
    pub(crate) fn of(&self, path: &ForwardPath) -> Option<&Targets> {
        let address = path.to_string();
        let folded = address.to_lowercase();
        let domain = folded.rsplit_once('@').map(|(_, domain)| domain);
        let route = self.routes.get(&exactly(&address)).or_else(|| self.routes.get(&folded));
        route.or_else(|| self.routes.get(domain?)).or(self.default.as_ref())
    }
}

/// An address or a domain, with all but the local part in small letters.
fn exactly(whose: &str) -> String {
    match whose.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => whose.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_address_then_by_domain_then_by_default() {
        let text = "[routes]\n\"Example.Net\" = [\"b\"]\n\"ann@example.net\" = [\"c\", \"a\"]\npostmaster = [\"c\"]\n\
                    [targets.a]\n[targets.b]\n[targets.c]\n";
        let with_default = Options::parse(&format!("default = [\"a\", \"b\"]\n{text}")).unwrap();
        let routes = Routes::new(&with_default).unwrap();
        let of = |routes: &Routes, address: &str| routes.of(&address.parse().unwrap()).cloned();
        for (address, targets) in [
            ("bob@example.net", &[1][..]),
            ("bob@EXAMPLE.net", &[1]),
            ("Ann@Example.NET", &[2, 0]),
            ("ann@example.org", &[0, 1]),
            ("postmaster", &[2]),
            ("\"a@example.net\"@example.org", &[0, 1]),
        ] {
            assert_eq!(of(&routes, address).as_deref(), Some(targets), "{address}");
        }
        let routes = Routes::new(&Options::parse(text).unwrap()).unwrap();
        assert_eq!(of(&routes, "ann@example.org"), None);
    }

    #[test]
    fn a_local_part_that_is_written_just_so_goes_first() {
        let text = "default = [\"a\"]\n[routes]\n\"ann@X.org\" = [\"b\"]\n\"Ann@x.org\" = [\"c\"]\n\
                    \"Bob@x.org\" = [\"d\"]\n[targets.a]\n[targets.b]\n[targets.c]\n[targets.d]\n";
        let routes = Routes::new(&Options::parse(text).unwrap()).unwrap();
        for (address, target) in [
            ("ann@x.org", 1),
            ("Ann@x.org", 2),
            ("Ann@X.ORG", 2),
            // Nobody is called just that: the one in small letters is meant.
            ("ANN@x.org", 1),
            ("Bob@x.org", 3),
            ("bob@x.org", 3),
            ("BOB@X.org", 3),
            ("eve@x.org", 0),
        ] {
            assert_eq!(routes.of(&address.parse().unwrap()).unwrap(), &[target], "{address}");
        }
    }

    #[test]
    fn a_route_leads_somewhere() {
        for (text, place) in [
            ("default = [\"b\"]\n[targets.a]\n", "default: there is no target \"b\""),
            ("[targets.a]\n", "default: names no target"),
            ("default = [\"a\"]\n[routes]\nx = []\n[targets.a]\n", "routes.\"x\": names no target"),
            // Which of them counts would be nobody's decision.
            ("[routes]\nX = [\"a\"]\nx = [\"a\"]\n[targets.a]\n", "routes.\"x\": there is another route for it"),
            (
                "[routes]\n\"ann@X\" = [\"a\"]\n\"ann@x\" = [\"a\"]\n[targets.a]\n",
                "routes.\"ann@x\": there is another route for it",
            ),
        ] {
            assert_eq!(Routes::new(&Options::parse(text).unwrap()).unwrap_err().to_string(), place);
        }
    }
}

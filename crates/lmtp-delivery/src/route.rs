//! Who goes where.

use std::collections::{BTreeMap, HashMap};

use lmtp_tokio::ForwardPath;

use crate::options::{Options, Problem};

/// The targets of a recipient, by their places, in the order in which to ask them.
pub(crate) type Targets = Vec<usize>;

/// Who goes where, by address, then by domain, then by default. Case does not matter, for
/// a domain that is written in capitals is no other domain.
#[derive(Debug)]
pub(crate) struct Routes {
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
        let mut routes = HashMap::new();
        for (whose, names) in &options.routes {
            routes.insert(whose.to_lowercase(), targets(format!("routes.{whose:?}"), names)?);
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
        let address = path.to_string().to_lowercase();
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        let route = self.routes.get(&address).or_else(|| self.routes.get(domain?));
        route.or(self.default.as_ref())
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
    fn a_route_leads_somewhere() {
        for (text, place) in [
            ("default = [\"b\"]\n[targets.a]\n", "default: there is no target \"b\""),
            ("[targets.a]\n", "default: names no target"),
            ("default = [\"a\"]\n[routes]\nx = []\n[targets.a]\n", "routes.\"x\": names no target"),
        ] {
            assert_eq!(Routes::new(&Options::parse(text).unwrap()).unwrap_err().to_string(), place);
        }
    }
}

//! The public items of the front ends: the same names in each, and all of them used in the one file that is compiled
//! for all of them.
//!
//! What is public is read from rustdoc's JSON. It is not stable; what cannot be read is an error.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::source::{holds_word, is_comment};
use super::{Complaints, tree::Tree};
use crate::cargo::cargo;
use crate::process;

const FRONT_ENDS: [&str; 4] = ["lmtp-blocking", "lmtp-tokio", "lmtp-smol", "lmtp-async-std"];
/// What the async ones name for their runtimes.
const SHARED: &str = "lmtp-futures";

/// The file that names every item.
const NAMES_ALL: &str = "crates/lmtp-testkit/tests/contract/every_item.rs";

/// Names that only some have, and why. The file need not name them.
const EXCEPTIONS: [(&str, &[&str], &str); 7] = [
    ("AsyncStd", &["lmtp-async-std"], "its runtime"),
    ("Smol", &["lmtp-smol"], "its runtime"),
    ("Tokio", &["lmtp-tokio"], "its runtime"),
    ("Io", &["lmtp-async-std", "lmtp-smol", "lmtp-tokio"], "any async stream; a blocking one is a socket"),
    ("Timer", &["lmtp-async-std", "lmtp-smol"], "a part of the name of their `Io`; tokio's has it inside"),
    (
        "Deliveries::next",
        &["lmtp-async-std", "lmtp-smol", "lmtp-tokio"],
        "the blocking one is an iterator, whose trait has it",
    ),
    ("Incoming::poll_next", &["lmtp-async-std", "lmtp-smol", "lmtp-tokio"], "nothing is polled where a thread waits"),
];

/// A public item: a name, or a name and a member behind `::`. A function is written with its parenthesis.
type Items = BTreeSet<String>;

pub(super) fn same_and_used(tree: &Tree) -> Result<Complaints> {
    let shared = members(&json(SHARED)?)?.into_iter().map(|(name, of_it)| (name, of_it.unwrap_or_default())).collect();
    let mut surfaces = BTreeMap::new();
    for name in FRONT_ENDS {
        surfaces.insert(name, items(&json(name)?, &shared).with_context(|| name.to_owned())?);
    }
    Ok(complaints(&surfaces, &tree.text(NAMES_ALL)?))
}

/// Set where this program is called in place of rustdoc.
const AS_RUSTDOC: &str = "LMTP_XTASK_AS_RUSTDOC";

/// Whether this program is called in place of rustdoc.
pub(crate) fn is_rustdoc() -> bool {
    std::env::var_os(AS_RUSTDOC).is_some()
}

/// Is rustdoc, but with what is unstable allowed. To allow it to all of cargo would build every dependency anew.
pub(crate) fn be_rustdoc() -> Result<()> {
    // Where cargo calls it from, whatever that is.
    let mut rustdoc = std::process::Command::new("rustdoc");
    let status = rustdoc.args(std::env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status()?;
    ensure!(status.success(), "rustdoc: {status}");
    Ok(())
}

/// What rustdoc says of a crate.
fn json(name: &str) -> Result<Value> {
    let mut doc = cargo();
    doc.args(["rustdoc", "-p", name, "--lib", "--all-features", "--locked", "--quiet", "--", "-Z", "unstable-options"]);
    doc.args(["--output-format", "json"]).env("RUSTDOC", std::env::current_exe()?).env(AS_RUSTDOC, "1");
    process::capture(&mut doc)?;
    let file = crate::project::root().join(format!("target/doc/{}.json", name.replace('-', "_")));
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

fn complaints(surfaces: &BTreeMap<&str, Items>, text: &str) -> Complaints {
    let code: Vec<&str> = text.lines().filter(|line| !is_comment(line)).collect();
    let all: BTreeSet<&String> = surfaces.values().flatten().collect();
    let mut complaints = Vec::new();
    for item in all {
        let path = item.trim_end_matches('(');
        let owners: Vec<&str> =
            surfaces.iter().filter(|(_, items)| items.contains(item)).map(|(name, _)| *name).collect();
        let exception = EXCEPTIONS.iter().find(|(name, ..)| *name == path);
        if owners.len() < surfaces.len() && exception.is_none_or(|(_, may, _)| *may != owners) {
            complaints.push(format!("{path}: only in {}", owners.join(", ")));
        }
        let word = item.rsplit("::").next().unwrap_or(item);
        if exception.is_none() && !code.iter().any(|line| holds_word(line, word)) {
            complaints.push(format!("{path}: is public, and {NAMES_ALL} does not name it"));
        }
    }
    let stale = EXCEPTIONS.iter().filter(|(name, may, _)| {
        may.iter().any(|one| {
            !surfaces.get(one).is_some_and(|items| items.contains(*name) || items.contains(&format!("{name}(")))
        })
    });
    complaints.extend(stale.map(|(name, ..)| format!("{name}: is an exception that is no longer there")));
    complaints
}

/// Every public item of a front end. What it takes from `lmtp-proto` is tested there: its name is enough.
fn items(json: &Value, shared: &BTreeMap<String, Items>) -> Result<Items> {
    let own = members(json)?;
    let mut items = Items::new();
    for (name, members) in own {
        let (path, is_function) = (name.trim_end_matches('('), name.ends_with('('));
        let members = members.unwrap_or_else(|| shared.get(path).cloned().unwrap_or_default());
        items.extend(members.iter().map(|member| format!("{path}::{member}")));
        items.insert(if is_function { name.clone() } else { path.to_owned() });
    }
    ensure!(items.contains("Client::deliver("), "rustdoc's JSON could not be read: it shows no Client::deliver");
    Ok(items)
}

/// What is at the top of a crate, and the public members of what is made there.
fn members(json: &Value) -> Result<BTreeMap<String, Option<Items>>> {
    let root = item(json, &json["root"]).context("no root")?;
    let mut all = BTreeMap::new();
    for id in ids(&root["inner"]["module"]["items"]) {
        let Some(top) = item(json, id) else { continue };
        let reexport = &top["inner"]["use"];
        let (name, target) = match reexport["name"].as_str() {
            Some(name) => (name, item(json, &reexport["id"])),
            None => (top["name"].as_str().context("an item without a name")?, Some(top)),
        };
        ensure!(reexport["is_glob"] != true, "{name}: everything of it is public, and nobody sees what");
        let is_function = target.is_some_and(|target| target["inner"]["function"].is_object());
        let name = if is_function { format!("{name}(") } else { name.to_owned() };
        let made_here = target.filter(|target| target["inner"]["type_alias"].is_null());
        all.insert(name, made_here.map(|target| members_of(json, target)));
    }
    Ok(all)
}

fn members_of(json: &Value, item_at: &Value) -> Items {
    let inner = &item_at["inner"];
    let kind = &inner["struct"];
    let impls = ids(&kind["impls"]).chain(ids(&inner["enum"]["impls"])).filter_map(|id| item(json, id));
    let inherent = impls.map(|one| &one["inner"]["impl"]).filter(|one| one["trait"].is_null());
    let functions = inherent.flat_map(|one| ids(&one["items"]));
    let fields = ids(&kind["kind"]["plain"]["fields"]);
    let of_trait = ids(&inner["trait"]["items"]);
    let named = functions.chain(fields).chain(of_trait).filter_map(|id| item(json, id));
    // Members of a trait are as public as the trait.
    let public = named.filter(|one| one["visibility"] == "public" || one["visibility"] == "default");
    let spelt = |one: &Value| {
        let name = one["name"].as_str()?;
        Some(if one["inner"]["function"].is_object() { format!("{name}(") } else { name.to_owned() })
    };
    public.filter_map(spelt).collect()
}

fn ids(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The item with that name in rustdoc's index.
fn item<'j>(json: &'j Value, id: &Value) -> Option<&'j Value> {
    let key = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    json["index"].get(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A crate with a struct of its own, one from elsewhere, an alias and a function.
    fn sample() -> Value {
        json!({ "root": 0, "index": {
            "0": { "inner": { "module": { "items": [1, 2, 3, 4] } } },
            "1": { "inner": { "use": { "name": "Client", "id": 10, "is_glob": false } } },
            "2": { "inner": { "use": { "name": "Reply", "id": 99, "is_glob": false } } },
            "3": { "name": "Server", "inner": { "type_alias": {} } },
            "4": { "name": "send", "inner": { "function": {} } },
            "10": { "inner": { "struct": { "impls": [11, 12], "kind": { "plain": { "fields": [15] } } } } },
            "11": { "inner": { "impl": { "trait": null, "items": [13, 14] } } },
            "12": { "inner": { "impl": { "trait": {}, "items": [16] } } },
            "13": { "name": "deliver", "visibility": "public", "inner": { "function": {} } },
            "14": { "name": "hidden", "visibility": "crate", "inner": { "function": {} } },
            "15": { "name": "field", "visibility": "public", "inner": { "struct_field": {} } },
            "16": { "name": "fmt", "visibility": "default", "inner": { "function": {} } },
        } })
    }

    fn shared() -> BTreeMap<String, Items> {
        // What has the name of something shared, and is not that, has its own members.
        let all = [("Server", "serve("), ("Client", "other(")];
        all.map(|(name, member)| (name.to_owned(), Items::from([member.to_owned()]))).into()
    }

    #[test]
    fn items_are_read() {
        let expected = ["Client", "Client::deliver(", "Client::field", "Reply", "Server", "Server::serve(", "send("]
            .map(str::to_owned);
        assert_eq!(items(&sample(), &shared()).unwrap(), Items::from(expected));
        assert!(items(&json!({ "root": 0, "index": {} }), &shared()).is_err());
        let mut glob = sample();
        glob["index"]["2"]["inner"]["use"]["is_glob"] = true.into();
        assert!(items(&glob, &shared()).is_err());
    }

    /// What four crates with these items, and the exceptions, are told; the last has one item more.
    fn told(more: Option<&str>, text: &str) -> Complaints {
        let mut surfaces: BTreeMap<&str, Items> =
            FRONT_ENDS.map(|name| (name, Items::from(["Client".to_owned(), "Client::deliver(".to_owned()]))).into();
        for (name, may, _) in EXCEPTIONS {
            for one in may {
                surfaces.get_mut(one).unwrap().insert(name.to_owned());
            }
        }
        surfaces.get_mut("lmtp-tokio").unwrap().extend(more.map(str::to_owned));
        complaints(&surfaces, text)
    }

    #[test]
    fn names_that_differ_and_names_that_nobody_uses_are_told() {
        let text = "let client: Client = x;\nclient.deliver(y);\n";
        assert_eq!(told(None, text), Complaints::new());
        assert_eq!(
            told(Some("Client::cancel("), &format!("{text}c.cancel();\n")),
            ["Client::cancel: only in lmtp-tokio"]
        );
        let unused = format!("Client::deliver: is public, and {NAMES_ALL} does not name it");
        assert_eq!(told(None, "let client: Client = x;\n// client.deliver(y);\nlet deliver = 1;\n"), [unused]);
        // An exception is one for those that it names.
        assert_eq!(told(Some("Smol"), text), ["Smol: only in lmtp-smol, lmtp-tokio"]);
    }

    #[test]
    fn an_exception_that_is_gone_is_told() {
        let surfaces = FRONT_ENDS.map(|name| (name, Items::new())).into();
        assert_eq!(complaints(&surfaces, "").len(), EXCEPTIONS.len());
    }
}

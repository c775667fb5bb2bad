//! What libFuzzer begins with, played without libFuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lmtp_proto::value::Verb;
use lmtp_testkit::fuzz::BODIES;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A seed is where mutation begins: whatever part of it is there.
#[test]
fn every_seed_and_every_beginning_of_one_passes() {
    for (name, body) in BODIES {
        let seeds = files(&fuzz().join("corpus").join(name));
        assert!(seeds.len() > 2, "{name} has hardly a seed");
        for seed in seeds {
            // Shown when it fails.
            println!("{}", seed.display());
            let octets = fs::read(&seed).unwrap();
            body(&octets);
            for length in (0..octets.len()).step_by(1 + octets.len() / 40) {
                body(&octets[..length]);
            }
        }
    }
}

/// A body has a target, a target has a body, and neither is forgotten by the other.
#[test]
fn bodies_targets_and_corpora_have_the_same_names() {
    let bodies: BTreeSet<String> = BODIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |directory: &str| -> BTreeSet<String> {
        let files = files(&fuzz().join(directory)).into_iter();
        files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(stems("fuzz_targets"), bodies);
    assert_eq!(stems("corpus"), bodies);
    for name in bodies {
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("lmtp_testkit::fuzz::{name}(")), "{name} calls another body");
    }
}

/// What libFuzzer may put together, each word of it whole.
#[test]
fn the_dictionary_knows_every_verb() {
    let dictionary = fs::read_to_string(fuzz().join("lmtp.dict")).unwrap();
    for verb in Verb::ALL {
        assert!(dictionary.contains(&format!("\"{verb}")), "{verb} is not in fuzz/lmtp.dict");
    }
}

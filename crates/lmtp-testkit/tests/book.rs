//! The book says what is: its conversations are played, its chapters are all there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lmtp_testkit::conversation::{self, Conversation};
use lmtp_testkit::markdown;
use lmtp_testkit::transcript::Transcript;

/// Made of the rules and the proofs, and holds neither code nor conversation.
const MADE: &str = "rfc-map.md";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src")
}

/// The chapters' file names, and what stands in them.
fn chapters() -> Vec<(String, String)> {
    let files = fs::read_dir(source()).unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let mut chapters: Vec<(String, String)> = pages
        .map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&file).unwrap()))
        .filter(|(name, _)| name != "SUMMARY.md" && name != MADE)
        .collect();
    chapters.sort();
    chapters
}

#[test]
fn every_conversation_goes_as_it_is_written_under_every_cut() {
    let conversations: Vec<Transcript> =
        chapters().iter().flat_map(|(name, text)| markdown::transcripts(&format!("book/{name}"), text)).collect();
    assert!(!conversations.is_empty());
    for conversation in conversations {
        conversation.play_with_every_cut();
    }
}

#[test]
fn every_conversation_with_the_server_goes_as_it_is_written_under_every_cut() {
    let conversations: Vec<Conversation> =
        chapters().iter().flat_map(|(name, text)| conversation::in_markdown(&format!("book/{name}"), text)).collect();
    assert!(!conversations.is_empty());
    for conversation in conversations {
        conversation.play_with_every_cut();
    }
}

/// Code that is shown piece by piece, and so cannot be a doctest, is part of a test that runs.
#[test]
fn every_piece_of_a_test_stands_in_that_test() {
    let tests = [include_str!("the_loop.rs"), include_str!("own_loop.rs")];
    let chapters = chapters();
    let pieces: Vec<(String, String)> = chapters
        .iter()
        .flat_map(|(name, text)| markdown::fenced(&format!("book/{name}"), text, "rust,ignore"))
        .collect();
    assert!(!pieces.is_empty());
    for (place, piece) in pieces {
        assert!(tests.iter().any(|test| test.contains(&piece)), "{place}: is in no test");
    }
}

/// Configurations of other mail systems are those that the foreign peers run with, but for names.
#[test]
fn every_line_of_a_configuration_is_one_that_is_run() {
    let names = [
        ("/run/lmtp/lmtp.sock", "@UNIX@"),
        ("2424", "@PORT@"),
        ("/usr/local/bin/lmtp", "@PROGRAM@"),
        ("/etc/lmtp-deliver.toml", "@DELIVER@"),
        ("example.org", "unix.test"),
        ("example.net", "tcp.test"),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut blocks = 0;
    for (name, text) in chapters() {
        for piece in text.split("<!-- from ").skip(1) {
            let (file, rest) = piece.split_once(" -->\n```").unwrap_or_else(|| panic!("{name}: {piece}"));
            let run = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
            // Behind the language of the block.
            for said in rest.split("```").next().unwrap().lines().skip(1) {
                let line = names.iter().fold(said.to_owned(), |line, (said, run)| line.replace(said, run));
                assert!(run.lines().any(|there| there == said || there == line), "{name}: {file} has no line {line:?}");
            }
            blocks += 1;
        }
    }
    assert!(blocks >= 5, "{blocks} blocks");
}

#[test]
fn every_chapter_is_in_the_summary_and_among_the_doctests() {
    let summary = fs::read_to_string(source().join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<&str> =
        summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).filter(|name| *name != MADE).collect();
    let doctests = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/book.rs")).unwrap();
    let tested: BTreeSet<&str> = doctests.split('"').filter(|text| text.strip_suffix(".md").is_some()).collect();
    let chapters = chapters();
    let there: BTreeSet<&str> = chapters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, there);
    assert_eq!(tested, there);
}

#[test]
#[should_panic(expected = "book/x.md:3: results")]
fn a_conversation_that_does_not_go_so_fails() {
    let chapter = "# X\n\n```lmtp\nfrom: a@x\nto: b@x\nmessage: hi\n\nS: 554 no\n= b@x delivered final 250\n```\n";
    for conversation in markdown::transcripts("book/x.md", chapter) {
        conversation.play_with_every_cut();
    }
}

#[test]
#[should_panic(expected = "book/x.md:3, Whole: the server wrote")]
fn a_conversation_with_the_server_that_does_not_go_so_fails() {
    let chapter = "# X\n\n```lmtp-server\n# Not its name.\n\nS: 220 mx ready\nC: QUIT\n= over\n```\n";
    for conversation in conversation::in_markdown("book/x.md", chapter) {
        conversation.play_with_every_cut();
    }
}

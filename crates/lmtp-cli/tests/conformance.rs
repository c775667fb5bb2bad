//! `lmtp conformance`, the program, against `lmtp serve`: as it is, and with a fault.

mod support;

use std::process::Command;

use serde_json::Value;
use support::served::{Served, mailbox};

/// A server for Bob, and what is found of it.
fn check(faults: &[&str], more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    for user in ["bob", "eve", "full"] {
        mailbox(&folder.path().join("mail/x").join(user));
    }
    let served = Served::on(folder.path(), faults);
    let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    check.args(["conformance", "server", &served.place(), "--good", "bob@x", "--bad", "nobody@x", "--rate", "1000"]);
    let output = check.args(more).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn our_server_passes_all_of_it() {
    let (code, said) = check(&[], &["--json", "--cases", "10"]);
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(code, Some(0), "{told}");
    let results = told["checks"].as_array().unwrap_or_else(|| panic!("{told}"));
    assert!(results.len() >= 120, "{} checks", results.len());
}

/// One answer too few: it is found, and the conversation is shown.
#[test]
fn a_wrong_count_is_found() {
    let faults = ["--wrong-count", "fewer"];
    let (code, said) = check(&faults, &["--only", "replies/2-recipients", "--cases", "0", "--timeout", "1"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("C: DATA"), "{said}");
}

#[test]
fn nobody_there_is_no_verdict() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    check.args(["conformance", "server", "unix:/no/such/socket", "--good", "bob@x"]);
    assert_eq!(check.output().unwrap().status.code(), Some(75));
}

/// What is known of a server stands in a file; what is skipped has a reason; a build server reads the results.
#[test]
fn a_profile_and_a_file_for_build_servers() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, junit) = (folder.path().join("profile.toml"), folder.path().join("results.xml"));
    let text = "good = [\"bob@x\", \"eve@x\"]\nfull = \"bob@x\"\n[skip]\n\"replies/2-recipients\" = \"known & old\"\n";
    std::fs::write(&profile, text).unwrap();
    let more = [
        "--profile",
        profile.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
        "--cases",
        "0",
        "--only",
        "replies/2",
    ];
    let (code, said) = check(&[], &more);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("not run: replies/2-recipients") && said.contains("skipped by the profile: known & old"),
        "{said}"
    );
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(
        xml.contains("skipped=\"1\"") && xml.contains("known &amp; old") && xml.contains("failures=\"0\""),
        "{xml}"
    );
    std::fs::write(&profile, "god = []\n").unwrap();
    assert_eq!(check(&[], &["--profile", profile.to_str().unwrap()]).0, Some(78));
}

/// Who is full at the end, and who says nothing: the checks of that are run where they can be.
#[test]
fn what_is_known_of_a_server_is_checked_too() {
    let faults = ["--fail", "final=452:full@x", "--idle-timeout", "1"];
    let more = ["--json", "--cases", "0", "--full", "full@x", "--good", "eve@x", "--idle", "1", "--only"];
    for (group, count) in [("verdicts/", 8), ("timeouts/", 4)] {
        let (code, said) = check(&faults, &[&more[..], &[group]].concat());
        let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        let passed = told["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "passed").count();
        assert_eq!((code, passed), (Some(0), count), "{told:#}");
    }
}

/// What fails is told by its level, so that a build server may be strict or not.
#[test]
fn the_exit_code_is_that_of_the_level() {
    let stub = |answer: &str| {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("stub.sh");
        std::fs::write(&script, STUB.replace("{answer}", answer)).unwrap();
        let run = |only: &str, level: &str| {
            let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
            let server = format!("exec:sh {}", script.display());
            check.args(["conformance", "server", &server, "--good", "bob@x", "--cases", "0", "--rate", "1000"]);
            let output = check.args(["--only", only, "--level", level]).output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        let run = |only, level| run(only, level).0;
        [run("session/ehlo", "must"), run("session/ehlo", "should"), run("session/ehlo", "all")]
    };
    // EHLO is 500, and LHLO is welcome behind it; 502; refused, and LHLO with it; taken.
    assert_eq!(stub("say '500 what'"), [Some(0), Some(0), Some(0)]);
    assert_eq!(stub("say '502 what'"), [Some(0), Some(2), Some(2)]);
    assert_eq!(stub("say '500 what'; deaf=yes"), [Some(0), Some(0), Some(3)]);
    assert_eq!(stub("say '250 welcome'"), [Some(1), Some(1), Some(1)]);
}

/// A server by hand: what it says to EHLO and to AUTH can be chosen.
const STUB: &str = "
say() { printf '%s\\r\\n' \"$1\"; }
say '220 stub'
while IFS= read -r line; do
    line=${line%?}
    case $deaf$line in
        yesLHLO*) say '503 no more' ;;
        LHLO*) say '250-stub'; say '250-AUTH PLAIN'; say '250 X' ;;
        EHLO* | AUTH*) {answer} ;;
        *QUIT) say '221 bye'; exit ;;
        *) say '250 well' ;;
    esac
done
";

/// A password stands on no output, wherever it came from and whatever the server says of it.
#[test]
fn a_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (script, secret, profile) = (at("stub.sh"), at("secret"), at("profile.toml"));
    std::fs::write(&script, STUB.replace("{answer}", "say \"550 no tanstaaf for $line\"")).unwrap();
    std::fs::write(&secret, "tanstaaf\n").unwrap();
    std::fs::write(&profile, format!("good = [\"bob@x\"]\nauth = \"ann\"\nauth_password_file = \"{secret}\"\n"))
        .unwrap();
    let server = format!("exec:sh {script}");
    let check = |more: &[&str], environment: &str| {
        let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
        check.args(["conformance", "server", &server, "--good", "bob@x", "--cases", "0", "--only", "auth/initial"]);
        let output = check.args(more).env("LMTP_AUTH_PASSWORD", environment).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains("tanstaaf") && !said.contains("AGFubgB0"), "{said}");
        (output.status.code(), said)
    };
    for (more, environment) in [
        (&["--auth", "ann:tanstaaf"][..], ""),
        (&["--auth", "ann", "--auth-password-file", &secret], ""),
        (&["--auth", "ann"], "tanstaaf"),
        (&["--profile", &profile], ""),
        (&["--auth", "ann", "--json"], "tanstaaf"),
    ] {
        let (code, said) = check(more, environment);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("C: AUTH PLAIN ***") && said.contains("S: 550 no *** for AUTH PLAIN ***"), "{said}");
    }
    assert_eq!(check(&["--auth", "ann"], "").0, Some(78), "there is none");
    std::fs::write(&profile, "auth = \"ann:tanstaaf\" x\n").unwrap();
    assert_eq!(check(&["--profile", &profile], "").0, Some(78), "what cannot be read is not shown either");
}

/// How much is delivered is said up front, and no more is.
#[test]
fn messages_have_a_bound() {
    let count = |most: &str| {
        let folder = tempfile::tempdir().unwrap();
        let new = mailbox(&folder.path().join("mail/x/bob"));
        let served = Served::on(folder.path(), &[]);
        let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
        check.args(["conformance", "server", &served.place(), "--good", "bob@x", "--rate", "1000", "--cases", "30"]);
        let output = check.args(["--json", "--messages", most]).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        let delivered = std::fs::read_dir(&new).unwrap().count();
        let why = told.to_string();
        (delivered, usize::try_from(told["messages"].as_u64().unwrap()).unwrap(), why)
    };
    let (delivered, told, why) = count("0");
    assert_eq!((delivered, told), (0, 0), "{why}");
    assert!(why.contains("it may deliver 1 messages, and --messages leaves 0"), "{why}");
    let (delivered, told, _) = count("40");
    assert!(delivered <= 40 && delivered > 0 && told <= 40, "{delivered} of {told}");
    let (delivered, told, _) = count("1000000");
    assert!(delivered <= told && delivered > 100, "{delivered} of {told}");
}

/// A server that is told to stop, with all of its checks under way.
#[test]
fn a_server_that_stops_is_checked_last() {
    let folder = tempfile::tempdir().unwrap();
    mailbox(&folder.path().join("mail/x/bob"));
    let served = Served::on(folder.path(), &[]);
    let mut check = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    check.args(["conformance", "server", &served.place(), "--good", "bob@x", "--only", "shutdown/", "--json"]);
    let stop = folder.path().join("stop.sh");
    std::fs::write(&stop, format!("kill -TERM {}\n", served.server.id())).unwrap();
    let mut run = |shutdown: &[&str]| {
        let output = check.args(shutdown).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let outcomes =
            told["checks"].as_array().unwrap().iter().map(|check| check["outcome"].as_str().unwrap().to_owned());
        (output.status.code(), outcomes.collect::<Vec<_>>(), told)
    };
    let (code, outcomes, told) = run(&[]);
    assert_eq!((code, &outcomes[..]), (Some(0), &["not run"; 3].map(str::to_owned)[..]), "{told:#}");
    let (code, outcomes, told) = run(&["--shutdown", &format!("sh {}", stop.display())]);
    assert_eq!((code, &outcomes[..]), (Some(0), &["passed"; 3].map(str::to_owned)[..]), "{told:#}");
}

/// A command that fails has stopped nobody.
#[test]
fn a_command_that_fails_is_no_verdict() {
    for command in ["false", "/no/such/program"] {
        let (code, said) =
            check(&[], &["--only", "shutdown/", "--cases", "0", "--timeout", "1", "--shutdown", command]);
        assert_eq!(code, Some(78), "{said}");
        assert_eq!(said.matches(&format!("--shutdown {command}: ")).count(), 3, "{said}");
    }
}

/// Each check says what it is about.
#[test]
fn json_has_all_that_a_page_would_show() {
    let (_, said) = check(&[], &["--only", "session/quit", "--json", "--cases", "0"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    for check in told["checks"].as_array().unwrap() {
        for key in ["id", "level", "section", "about"] {
            assert!(check[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {check}");
        }
        assert!(check["rules"].as_array().is_some_and(|rules| !rules.is_empty()), "{check}");
    }
}

/// The same seed, the same words.
#[test]
fn two_runs_print_the_same() {
    let run = || check(&["--fail", "rcpt=450:30%", "--seed", "1"], &["--json", "--only", "made-up", "--seed", "9"]);
    let names = |text: String| text.replace(|char: char| char.is_ascii_digit(), "0");
    let (one, two) = (run(), run());
    assert_eq!(one.0, Some(1), "{}", one.1);
    assert_eq!(names(one.1), names(two.1));
}

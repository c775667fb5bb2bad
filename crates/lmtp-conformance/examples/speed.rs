//! How many cases a second the whole suite runs in memory, on one thread: every check, and as many made-up conversations,
//! with the model and with our own machine. `cargo run --release -p lmtp-conformance --example speed`

use std::time::Instant;

use lmtp_conformance::property::{Settings, hold};
use lmtp_conformance::{Addresses, Memory, Outcome, Peer, catalogue, run};
use lmtp_proto::server::Config;
use lmtp_testkit::broken::Broken;
use lmtp_testkit::served::Served;

const ROUNDS: u32 = 20;

fn main() {
    measure("the model", || Broken::new(None));
    measure("our machine", || {
        let mut served = Served::new(Config::default());
        served.run();
        served
    });
}

fn measure<P: Peer>(name: &str, mut peer: impl FnMut() -> P) {
    let bad = Some("nobody@example.org".to_owned());
    let addresses = Addresses { good: "bob@example.org".to_owned(), bad, ..Addresses::default() };
    let begun = Instant::now();
    let checks = catalogue();
    let mut cases = 0;
    for _ in 0..ROUNDS {
        for check in &checks {
            let verdict = run(check, &addresses, &mut Memory::new(peer()));
            assert!(!matches!(verdict.outcome, Outcome::Failed(_)), "{}: {verdict:?}", check.id);
            cases += 1;
        }
    }
    let checked = f64::from(cases) / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let settings = Settings { seed: 7, cases, good: addresses.good, chunking: true };
    hold(&settings, || Memory::new(peer())).expect("it does as it should");
    let made_up = f64::from(cases) / begun.elapsed().as_secs_f64();
    println!("{name}: {checked:.0} checks and {made_up:.0} made-up conversations a second");
}

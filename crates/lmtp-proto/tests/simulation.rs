//! Client and server against each other, on a line that fails in every way: what
//! one reports is what the other did.

use std::time::Instant;

use lmtp_testkit::effort::Effort;
use lmtp_testkit::sim::{run, run_seed};

/// Reports are true, whatever happens to the line and whatever the applications
/// do; and all that can happen does happen.
///
/// `LMTP_SEED` plays one session and prints it.
#[test]
fn what_the_client_reports_is_what_the_server_did() {
    if let Ok(seed) = std::env::var("LMTP_SEED") {
        run_seed(seed.parse().expect("LMTP_SEED is a number"));
        return;
    }
    let sessions = match Effort::current() {
        Effort::Quick => 10_000,
        Effort::Ci => 100_000,
        Effort::Long => 2_000_000,
    };
    let begin = Instant::now();
    let coverage = run(0, sessions);
    println!("{coverage}in {:.1} s", begin.elapsed().as_secs_f64());
    coverage.check();
}

//! The examples, as programs, one against the other.

#[test]
fn one_sends_and_the_other_receives() {
    lmtp_testkit::examples::one_sends_and_the_other_receives("tokio");
}

//! Replies of every kind: read alike however they are cut, within the limits, and encoded again.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::reply(data));

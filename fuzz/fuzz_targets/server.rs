//! A server that hears anything: one reply for each command and each recipient, bounded memory, linear time.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::server(data));

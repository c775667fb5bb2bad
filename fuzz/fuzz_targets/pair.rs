//! A client and a server on a line that breaks: what the one reports is what the other did.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::pair(data));

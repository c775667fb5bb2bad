//! A client that hears the same words in other pieces says and tells the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::differential(data));

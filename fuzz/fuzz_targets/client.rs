//! A client that hears anything: one outcome for each recipient, bounded memory, linear time.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::client(data));

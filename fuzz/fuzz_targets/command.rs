//! Commands of every kind: understood as the same again when encoded, or refused with a reply that fits.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::command(data));

//! Whatever a server sends, the client survives it and every recipient gets one outcome.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::replies(data));

//! The functions of RFC 5802 section 2.2, over SHA-256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What comes out of every function, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn finished(mac: Hmac<Sha256>) -> Key {
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// `HMAC(key, text)`.
pub(super) fn hmac(key: &[u8], text: &[u8]) -> Key {
    finished(keyed(key).chain_update(text))
}

/// `H(text)`.
pub(super) fn hash(text: &[u8]) -> Key {
    Zeroizing::new(Sha256::digest(text).into())
}

/// `Hi(text, salt, i)`: the password hashed so often that trying many is dear.
pub(super) fn hi(text: &[u8], salt: &[u8], iterations: u32) -> Key {
    let keyed = keyed(text);
    let mut last = finished(keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()));
    let mut all = last.clone();
    for _ in 1..iterations {
        last = finished(keyed.clone().chain_update(*last));
        all = xor(&all, &last);
    }
    all
}

/// `left XOR right`.
pub(super) fn xor(left: &Key, right: &Key) -> Key {
    let mut both = left.clone();
    for (octet, other) in both.iter_mut().zip(right.iter()) {
        *octet ^= other;
    }
    both
}

/// Whether two keys are the same, in constant time.
pub(super) fn equal(left: &Key, right: &Key) -> bool {
    left.ct_eq(right.as_slice()).into()
}

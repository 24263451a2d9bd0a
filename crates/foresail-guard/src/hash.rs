//! The one hash of the guard, keyed with a secret, so that nobody outside can choose inputs that collide.

use std::fmt;

/// SipHash-1-3 (Aumasson and Bernstein 2012) under a secret key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey([u64; 2]);

/// Not what it holds: it is a secret.
impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey")
    }
}

impl HashKey {
    /// The hash under two secret words.
    pub const fn new(words: [u64; 2]) -> Self {
        Self(words)
    }

    /// Of bytes.
    pub fn bytes(self, bytes: &[u8]) -> u64 {
        sip::<1, 3>(self.0, bytes)
    }

    /// Of one word.
    #[inline]
    pub fn word(self, word: u64) -> u64 {
        let mut state = State::new(self.0);
        state.absorb::<1>(word);
        state.finish::<1, 3>(8 << 56)
    }

    /// Of two words.
    #[inline]
    pub fn pair(self, a: u64, b: u64) -> u64 {
        let mut state = State::new(self.0);
        state.absorb::<1>(a);
        state.absorb::<1>(b);
        state.finish::<1, 3>(16 << 56)
    }
}

struct State([u64; 4]);

impl State {
    #[inline]
    fn new([k0, k1]: [u64; 2]) -> Self {
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline]
    fn rounds<const N: usize>(&mut self) {
        let v = &mut self.0;
        for _ in 0..N {
            v[0] = v[0].wrapping_add(v[1]);
            v[1] = v[1].rotate_left(13) ^ v[0];
            v[0] = v[0].rotate_left(32);
            v[2] = v[2].wrapping_add(v[3]);
            v[3] = v[3].rotate_left(16) ^ v[2];
            v[0] = v[0].wrapping_add(v[3]);
            v[3] = v[3].rotate_left(21) ^ v[0];
            v[2] = v[2].wrapping_add(v[1]);
            v[1] = v[1].rotate_left(17) ^ v[2];
            v[2] = v[2].rotate_left(32);
        }
    }

    #[inline]
    fn absorb<const C: usize>(&mut self, word: u64) {
        self.0[3] ^= word;
        self.rounds::<C>();
        self.0[0] ^= word;
    }

    #[inline]
    fn finish<const C: usize, const D: usize>(mut self, last: u64) -> u64 {
        self.absorb::<C>(last);
        self.0[2] ^= 0xff;
        self.rounds::<D>();
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

fn sip<const C: usize, const D: usize>(key: [u64; 2], bytes: &[u8]) -> u64 {
    let mut state = State::new(key);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.absorb::<C>(u64::from_le_bytes(*word));
    }
    let mut last = (bytes.len() as u64) << 56;
    for (place, byte) in rest.iter().enumerate() {
        last |= u64::from(*byte) << (8 * place);
    }
    state.finish::<C, D>(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    #[test]
    fn vectors_of_the_reference_implementation() {
        // The first lines of vectors.h of SipHash-2-4, key 00 01 .. 0f, inputs empty, 00, 00 01, ..; the last is the paper's.
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(sip::<2, 4>(KEY, &[]).to_le_bytes(), [0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72]);
        assert_eq!(sip::<2, 4>(KEY, &input[..1]).to_le_bytes(), [0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74]);
        assert_eq!(sip::<2, 4>(KEY, &input), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn words_hash_as_their_bytes_do() {
        let key = HashKey::new(KEY);
        let bytes: Vec<u8> = 7_u64.to_le_bytes().into_iter().chain(9_u64.to_le_bytes()).collect();
        assert_eq!(key.pair(7, 9), key.bytes(&bytes));
        assert_eq!(key.word(7), key.bytes(&bytes[..8]));
        assert_ne!(key.word(7), HashKey::new([1, 2]).word(7));
        assert_eq!(format!("{key:?}"), "HashKey");
    }
}

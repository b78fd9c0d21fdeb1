//! From the seed of a wallet's words to the key of its first account, as Phantom and Solflare derive it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use zeroize::Zeroizing;

/// `m/44'/501'/0'/0'`: [BIP 44](https://github.com/bitcoin/bips/blob/master/bip-0044.mediawiki)'s purpose, Solana's
/// number in [SLIP 44](https://github.com/satoshilabs/slips/blob/master/slip-0044.md), the first account and its first
/// key. On this curve every step is a hardened one.
const PATH: [u32; 4] = [44, 501, 0, 0];

/// Added to the number of a hardened step.
const HARDENED: u32 = 1 << 31;

/// The bytes in a block of SHA-512.
const BLOCK: usize = 128;

/// A secret of 32 bytes, and the 32 that its children are derived with.
struct Node(Zeroizing<[u8; 64]>);

impl Node {
    /// The root of a seed, by [SLIP 10](https://github.com/satoshilabs/slips/blob/master/slip-0010.md) for ed25519.
    fn of_seed(seed: &[u8]) -> Self {
        Self(hmac(b"ed25519 seed", &[seed]))
    }

    /// The hardened child with this number.
    fn child(&self, number: u32) -> Self {
        let (secret, chain_code) = self.0.split_at(32);
        Self(hmac(chain_code, &[&[0], secret, &(number | HARDENED).to_be_bytes()]))
    }

    fn secret(&self) -> Zeroizing<[u8; 32]> {
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&self.0[..32]);
        secret
    }
}

/// The secret key of the first account.
pub(super) fn first_account(seed: &[u8; 64]) -> Zeroizing<[u8; 32]> {
    PATH.iter().fold(Node::of_seed(seed), |node, number| node.child(*number)).secret()
}

/// HMAC-SHA-512 with a key of at most one block, which fills the rest of it with zeros.
fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut block = Zeroizing::new([0; BLOCK]);
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha512>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of SLIP 10 for ed25519: a seed, the numbers of a path, chain code and secret at its end.
    const VECTORS: &[(&str, &[u32], &str, &str)] = &[
        (
            "000102030405060708090a0b0c0d0e0f",
            &[],
            "90046a93de5380a72b5e45010748567d5ea02bbf6522f979e05c0d8d8ca9fffb",
            "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            &[0],
            "8b59aa11380b624e81507a27fedda59fea6d0b779a778918a2fd3590e16e9c69",
            "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            &[0, 1, 2, 2, 1_000_000_000],
            "68789923a0cac2cd5a29172a475fe9e0fb14cd6adb5ad98a3fa70333e7afa230",
            "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
        ),
        (
            "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c69666360\
             5d5a5754514e4b484542",
            &[],
            "ef70a74db9c3a5af931b5fe73ed8e1a53464133654fd55e7a66f8570b8e33c3b",
            "171cb88b1b3c1db25add599712e36245d75bc65a1a5c9e18d76f9f2b1eab4012",
        ),
        (
            "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c69666360\
             5d5a5754514e4b484542",
            &[0, 2_147_483_647, 1, 2_147_483_646, 2],
            "5d70af781f3a37b829f0d060924d5e960bdc02e85423494afc0b1a41bbe196d4",
            "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d",
        ),
    ];

    #[test]
    fn keys_are_derived_as_slip_10_says() {
        for (seed, path, chain_code, secret) in VECTORS {
            let seed = data_encoding::HEXLOWER.decode(seed.as_bytes()).unwrap();
            let node = path.iter().fold(Node::of_seed(&seed), |node, number| node.child(*number));
            assert_eq!(data_encoding::HEXLOWER.encode(&*node.secret()), *secret, "{path:?}");
            assert_eq!(data_encoding::HEXLOWER.encode(&node.0[32..]), *chain_code, "{path:?}");
        }
    }
}

//! The words of a wallet, and what follows from them.

use std::borrow::Cow;
use std::fmt;

use bip39::{Language, Mnemonic};
use lull_settlement::compose::Key;
use lull_types::{Coded, WalletAddress, WalletAddressError};
use zeroize::{Zeroize, Zeroizing};

use super::derive;

/// Random bytes of a new wallet: 128 bits are twelve words, which nobody guesses and everybody can write down.
const ENTROPY_BYTES: usize = 16;

/// Longer than 24 words of any list, with much space between them.
const TEXT_BYTES_MAX: usize = 4096;

/// Why words are no wallet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Neither twelve nor twenty-four.
    #[error(
        "these are {0} words, and a wallet has twelve or twenty-four; type all of them, separated by spaces"
    )]
    Count(usize),
    /// A word that the list does not have. Which one it is stays out of logs and screens.
    #[error("word number {0} is not on the list of wallet words; look at how it is spelt")]
    Unknown(usize),
    /// Known words that do not belong together.
    #[error(
        "these words do not belong together: one of them is another one, or their order is; compare each of them"
    )]
    Checksum,
    /// What was kept is no secret of a wallet.
    #[error("the kept secret of this wallet is damaged; take the wallet over again by its words")]
    Damaged,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers, so no wallet can be made")]
    NoRandomness,
}

impl Coded for WordsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Count(_) => "wallet_words_count",
            Self::Unknown(_) => "wallet_words_unknown",
            Self::Checksum => "wallet_words_checksum",
            Self::Damaged => "wallet_key_damaged",
            Self::NoRandomness => "no_randomness",
        }
    }
}

/// Twelve or twenty-four words of [BIP 39](https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki)'s English
/// list. Whoever knows them holds the wallet: they are wiped from memory when dropped, and never shown by accident.
#[derive(Clone)]
pub struct WalletWords(Mnemonic);

impl fmt::Debug for WalletWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WalletWords(…)")
    }
}

impl WalletWords {
    /// Twelve new ones.
    ///
    /// # Errors
    /// [`WordsError::NoRandomness`].
    pub fn draw() -> Result<Self, WordsError> {
        let mut entropy = Zeroizing::new([0; ENTROPY_BYTES]);
        getrandom::fill(&mut *entropy).map_err(|_| WordsError::NoRandomness)?;
        Self::from_entropy(&*entropy)
    }

    /// Those that stand for these 16 or 32 bytes.
    ///
    /// # Errors
    /// [`WordsError::Damaged`] for any other number of bytes.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, WordsError> {
        match entropy.len() {
            16 | 32 => Mnemonic::from_entropy_in(Language::English, entropy)
                .map(Self)
                .map_err(|_| WordsError::Damaged),
            _ => Err(WordsError::Damaged),
        }
    }

    /// Reads words as people and keyboards write them: in any case, with any space or commas between them, in any
    /// form of Unicode.
    ///
    /// # Errors
    /// [`WordsError`] says what is wrong, and with which word, without repeating it.
    pub fn parse(text: &str) -> Result<Self, WordsError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(WordsError::Count(text.split_whitespace().count()));
        }
        let mut normalised = Cow::Borrowed(text);
        Mnemonic::normalize_utf8_cow(&mut normalised);
        let words = Zeroizing::new(normalised.to_lowercase().replace(',', " "));
        if let Cow::Owned(mut text) = normalised {
            text.zeroize();
        }
        let count = words.split_whitespace().count();
        if !matches!(count, 12 | 24) {
            return Err(WordsError::Count(count));
        }
        Mnemonic::parse_in_normalized(Language::English, &words).map(Self).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => WordsError::Unknown(index + 1),
            bip39::Error::InvalidChecksum => WordsError::Checksum,
            bip39::Error::BadWordCount(count) => WordsError::Count(count),
            bip39::Error::BadEntropyBitCount(_) | bip39::Error::AmbiguousLanguages(_) => WordsError::Damaged,
        })
    }

    /// The bytes that they stand for, as they are kept.
    pub fn entropy(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_entropy())
    }

    /// They, in order.
    pub fn list(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.words()
    }

    /// The key of the wallet's first account, without a passphrase: the same that other wallets derive from these
    /// words. Takes some milliseconds, by design.
    pub fn key(&self) -> Key {
        let seed = Zeroizing::new(self.0.to_seed_normalized(""));
        Key::from_bytes(&derive::first_account(&seed))
    }

    /// That account's address.
    ///
    /// # Errors
    /// Never, for a public key is a point of the curve; but nothing is assumed of it.
    pub fn address(&self) -> Result<WalletAddress, WalletAddressError> {
        WalletAddress::from_bytes(self.key().address().to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABANDON: &str =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon";

    /// Words and the address that other programs show for them: Solana's own cookbook for the first, wallets' and
    /// libraries' published tests for the second.
    #[test]
    fn the_same_words_give_the_same_address_as_in_other_wallets() {
        let cookbook = "neither lonely flavor argue grass remind eye tag avocado spot unusual intact";
        let check = |words: &str, address: &str| {
            assert_eq!(WalletWords::parse(words).unwrap().address().unwrap().to_string(), address);
        };
        check(cookbook, "5vftMkHL72JaJG6ExQfGAsT2uGVHpRR7oTNUPMs68Y2N");
        check(&format!("{ABANDON} about"), "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk");
        // Twenty-four words; computed with another implementation of the same standards.
        check(&format!("{ABANDON} {ABANDON} abandon art"), "3Cy3YNTFywCmxoxt8n7UH6hg6dLo5uACowX3CFceaSnx");
    }

    #[test]
    fn words_are_read_however_they_are_typed() {
        let expected = WalletWords::parse(&format!("{ABANDON} about")).unwrap().entropy();
        let typed = [
            format!("  {}\n\tAbout ", ABANDON.to_uppercase()),
            format!("{}, about", ABANDON.replace(' ', ", ")),
            // As a keyboard for Chinese may write Latin letters and spaces.
            format!("{}\u{3000}ａｂｏｕｔ", ABANDON.replace(' ', "\u{3000}")),
        ];
        for text in typed {
            assert_eq!(WalletWords::parse(&text).unwrap().entropy(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_a_word() {
        let check = |text: &str, error| assert_eq!(WalletWords::parse(text).unwrap_err(), error, "{text}");
        check("", WordsError::Count(0));
        check(ABANDON, WordsError::Count(11));
        // Fifteen are a wallet elsewhere, and none here.
        check(&format!("{ABANDON} abandon abandon abandon address"), WordsError::Count(15));
        check(&format!("{ABANDON} abuot"), WordsError::Unknown(12));
        check(&format!("{ABANDON} abandon"), WordsError::Checksum);
        check(&"abandon ".repeat(2_000), WordsError::Count(2_000));
        assert!(!WordsError::Unknown(12).to_string().contains("abuot"));
    }

    #[test]
    fn new_words_differ_and_come_back_from_what_is_kept() {
        let (one, other) = (WalletWords::draw().unwrap(), WalletWords::draw().unwrap());
        assert_ne!(one.entropy(), other.entropy());
        assert_eq!(one.list().count(), 12);
        let again = WalletWords::from_entropy(&one.entropy()).unwrap();
        assert!(again.list().eq(one.list()));
        let typed = one.list().collect::<Vec<_>>().join(" ");
        assert_eq!(WalletWords::parse(&typed).unwrap().address(), one.address());
        assert_eq!(WalletWords::from_entropy(&[0; 20]).unwrap_err(), WordsError::Damaged);
        assert_eq!(format!("{one:?}"), "WalletWords(…)");
    }
}

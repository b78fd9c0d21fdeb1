//! A wallet that the worker makes for whoever has none: its words, its key, and where they are kept.
//!
//! The words are shown once, and the wallet is paid to only when the contributor has typed them back. The secret that
//! they stand for lies in the system's keychain, beside the device key and under a name of its own. It is read when
//! something is to be signed and wiped from memory after that; it is in no journal, no log and no debug output.
//!
//! Which wallet is kept, and whether it was confirmed, is in the journal (see [`crate::machine::Record::KeptWallet`]),
//! so that confirming and setting it are one transaction. A secret is stored under its wallet's address before the
//! journal names it and removed before the journal forgets it: what a crash leaves behind is at worst a secret that
//! nothing names and nobody was shown.

mod commands;
mod derive;
mod keys;
#[cfg(test)]
mod tests;
mod words;

pub use commands::KeptWallets;
pub use keys::{KeptWalletError, Place, WalletKeys};
pub use words::{WalletWords, WordsError};

//! Proof that a contributor holds a wallet: a text that the wallet's own program shows and signs.
//!
//! It is a message of [Sign In With Solana](https://github.com/phantom/sign-in-with-solana), because wallets show such
//! a one field by field and warn where its domain is not the page that asks. Both sides write the text from the same
//! statement and compare no text that anybody else wrote: a signature over anything else counts for nothing. Signing
//! it moves no money.
//!
//! A wallet on a phone signs no text for a program on another machine. It can pay, though: there the statement is a
//! transfer of the wallet to itself that names [`reference`], the hash of the text.

use chrono::{DateTime, SecondsFormat};
use lull_types::{ChainAddress, Coded, Signature, UnixMillis, WalletStatement};

/// Hexadecimal digits of a nonce.
const NONCE_DIGITS: usize = 32;

/// The domain of a statement that the worker itself signs, with the key of a wallet that it keeps: there is no page, and
/// no page can ever have this name ([RFC 2606](https://www.rfc-editor.org/rfc/rfc2606)), so that a wallet in a browser
/// warns of whoever has it sign such a text.
pub const KEPT_BY_WORKER: &str = "worker.lull.invalid";

/// The domain of a statement that a transaction stands for, which names its [`reference`]. No page can have this name,
/// and the signature of a text proves nothing here.
pub const ON_CHAIN: &str = "transaction.lull.invalid";

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletProofError {
    /// The statement is not one that a network makes.
    #[error(
        "what is to be signed for the wallet makes no sense; nothing was signed, and asking again may help"
    )]
    Malformed,
    /// The page that asks is not on the contributor's own machine.
    #[error("only a page on this machine may ask for a wallet's signature")]
    NotThisMachine,
    /// It was shown too late.
    #[error("the wallet signed too late; ask for a new text and sign that")]
    Expired,
    /// Another key signed, or another text.
    #[error(
        "the signature is not by this wallet, or of another text; choose the account with this address and sign again"
    )]
    WrongSignature,
}

impl Coded for WalletProofError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "wallet_statement_malformed",
            Self::NotThisMachine => "wallet_page_elsewhere",
            Self::Expired => "wallet_proof_expired",
            Self::WrongSignature => "wallet_signature_wrong",
        }
    }
}

/// Whether a domain is a page on the machine itself, `127.0.0.1:PORT`, or one of those without a page,
/// [`KEPT_BY_WORKER`] and [`ON_CHAIN`].
///
/// # Errors
/// [`WalletProofError::NotThisMachine`].
pub fn check_domain(domain: &str) -> Result<(), WalletProofError> {
    if domain == KEPT_BY_WORKER || domain == ON_CHAIN {
        return Ok(());
    }
    let port = domain.strip_prefix("127.0.0.1:").ok_or(WalletProofError::NotThisMachine)?;
    // One way to write each number: the text must be the same on both sides.
    match port.parse::<u16>() {
        Ok(number) if number != 0 && number.to_string() == port => Ok(()),
        _ => Err(WalletProofError::NotThisMachine),
    }
}

/// The text that is signed.
///
/// # Errors
/// When a field could change the meaning of others, or is none that a network draws.
pub fn text(statement: &WalletStatement) -> Result<String, WalletProofError> {
    let WalletStatement { network, worker, wallet, domain, nonce, issued_at, expires_at } = statement;
    check_domain(domain)?;
    let is_drawn = nonce.len() == NONCE_DIGITS
        && nonce.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_drawn || issued_at >= expires_at {
        return Err(WalletProofError::Malformed);
    }
    let (issued, expires) = (instant(*issued_at)?, instant(*expires_at)?);
    // Whoever reads the proof later sees by whom it was made.
    let kept = if domain == KEPT_BY_WORKER { ", whose key is kept on it" } else { "" };
    Ok(format!(
        "{domain} wants you to sign in with your Solana account:\n\
         {wallet}\n\
         \n\
         Pay what my machine {machine} earns in Lull to this wallet{kept}. Signing this moves no money.\n\
         \n\
         URI: http://{domain}/\n\
         Version: 1\n\
         Nonce: {nonce}\n\
         Issued At: {issued}\n\
         Expiration Time: {expires}\n\
         Resources:\n\
         - lull:network:{network}\n\
         - lull:worker:{worker}",
        machine = worker.short(),
    ))
}

/// The account that a transaction names to stand for a statement. Nobody holds its key, and only the hash of this one
/// text gives it, so that a transaction that was signed for anything else never names it by chance.
///
/// # Errors
/// As [`text`], and [`WalletProofError::Malformed`] for a statement that is to be signed as a text.
pub fn reference(statement: &WalletStatement) -> Result<ChainAddress, WalletProofError> {
    if statement.domain != ON_CHAIN {
        return Err(WalletProofError::Malformed);
    }
    Ok(ChainAddress(blake3::derive_key("lull wallet statement on chain 1", text(statement)?.as_bytes())))
}

fn instant(at: UnixMillis) -> Result<String, WalletProofError> {
    let millis = i64::try_from(at.0).map_err(|_| WalletProofError::Malformed)?;
    let instant = DateTime::from_timestamp_millis(millis).ok_or(WalletProofError::Malformed)?;
    Ok(instant.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Whether the wallet's holder signed the statement, in time.
///
/// # Errors
/// [`WalletProofError`].
pub fn verify(
    statement: &WalletStatement,
    signature: &Signature,
    now: UnixMillis,
) -> Result<(), WalletProofError> {
    let text = text(statement)?;
    if statement.domain == ON_CHAIN {
        return Err(WalletProofError::WrongSignature);
    }
    if now > statement.expires_at {
        return Err(WalletProofError::Expired);
    }
    statement.wallet.has_signed(text.as_bytes(), signature).map_err(|_| WalletProofError::WrongSignature)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use lull_types::{NetworkId, WorkerId};

    use super::*;

    fn holder(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn statement() -> WalletStatement {
        // The public key of `holder(3)`.
        let wallet = "GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse";
        WalletStatement {
            network: NetworkId([1; 32]),
            worker: WorkerId([2; 32]),
            wallet: wallet.parse().unwrap(),
            domain: "127.0.0.1:41234".to_owned(),
            nonce: "00112233445566778899aabbccddeeff".to_owned(),
            issued_at: UnixMillis(1_800_000_000_000),
            expires_at: UnixMillis(1_800_000_300_000),
        }
    }

    fn signed(text: &str, by: u8) -> Signature {
        Signature(holder(by).sign(text.as_bytes()).to_bytes())
    }

    #[test]
    fn the_text_is_what_wallets_show() {
        let expected = "127.0.0.1:41234 wants you to sign in with your Solana account:\n\
            WALLET\n\n\
            Pay what my machine 0202020202 earns in Lull to this wallet. Signing this moves no money.\n\n\
            URI: http://127.0.0.1:41234/\n\
            Version: 1\n\
            Nonce: 00112233445566778899aabbccddeeff\n\
            Issued At: 2027-01-15T08:00:00.000Z\n\
            Expiration Time: 2027-01-15T08:05:00.000Z\n\
            Resources:\n\
            - lull:network:NETWORK\n\
            - lull:worker:WORKER";
        let statement = statement();
        let expected = expected
            .replace("WALLET", &statement.wallet.to_string())
            .replace("NETWORK", &"01".repeat(32))
            .replace("WORKER", &"02".repeat(32));
        assert_eq!(text(&statement).unwrap(), expected);
    }

    #[test]
    fn the_text_of_a_kept_wallet_says_who_signs() {
        let page = statement();
        let own = WalletStatement { domain: KEPT_BY_WORKER.to_owned(), ..page.clone() };
        let text_of_own = text(&own).unwrap();
        assert!(text_of_own.starts_with("worker.lull.invalid wants you to sign in"), "{text_of_own}");
        assert!(
            text_of_own.contains("to this wallet, whose key is kept on it. Signing this moves no money.")
        );
        // What a page has signed proves nothing there, and the other way round.
        let now = own.issued_at;
        assert_eq!(verify(&own, &signed(&text_of_own, 3), now), Ok(()));
        assert_eq!(verify(&page, &signed(&text_of_own, 3), now), Err(WalletProofError::WrongSignature));
    }

    #[test]
    fn a_transaction_stands_for_one_statement_alone() {
        let page = statement();
        assert_eq!(reference(&page), Err(WalletProofError::Malformed), "a page has its text signed");
        let drawn = WalletStatement { domain: ON_CHAIN.to_owned(), ..page };
        // Both sides must come to the same, an old worker with a new network too. Computed with the reference
        // implementation of BLAKE3 in C, over the text written out by hand.
        let expected = "7mJXLHkSkKrKniF4uydNpwhJEAiS3VBWCJaBCuwuHh3g";
        assert_eq!(reference(&drawn).unwrap().to_string(), expected);
        let others: [fn(&mut WalletStatement); 5] = [
            |s| s.worker = WorkerId([9; 32]),
            |s| s.network = NetworkId([9; 32]),
            |s| s.wallet = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU".parse().unwrap(),
            |s| s.nonce = "f".repeat(32),
            |s| s.expires_at = UnixMillis(s.expires_at.0 + 1),
        ];
        for change in others {
            let mut other = drawn.clone();
            change(&mut other);
            assert_ne!(reference(&other), reference(&drawn));
        }
        // Signed as a text it counts for nothing.
        let signature = signed(&text(&drawn).unwrap(), 3);
        assert_eq!(verify(&drawn, &signature, drawn.issued_at), Err(WalletProofError::WrongSignature));
    }

    #[test]
    fn only_the_holders_signature_in_time_holds() {
        let statement = statement();
        let text = text(&statement).unwrap();
        let now = statement.expires_at;
        assert_eq!(verify(&statement, &signed(&text, 3), now), Ok(()));
        assert_eq!(verify(&statement, &signed(&text, 4), now), Err(WalletProofError::WrongSignature));
        let late = UnixMillis(now.0 + 1);
        assert_eq!(verify(&statement, &signed(&text, 3), late), Err(WalletProofError::Expired));
        // For one worker, network, wallet and nonce alone.
        let others: [fn(&mut WalletStatement); 4] = [
            |s| s.worker = WorkerId([9; 32]),
            |s| s.network = NetworkId([9; 32]),
            |s| s.nonce = "f".repeat(32),
            |s| s.domain = "127.0.0.1:1".to_owned(),
        ];
        for change in others {
            let mut other = statement.clone();
            change(&mut other);
            assert_eq!(verify(&other, &signed(&text, 3), now), Err(WalletProofError::WrongSignature));
        }
    }

    #[test]
    fn what_could_change_the_text_is_refused() {
        for domain in [
            "lull.example",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:080",
            "127.0.0.1:1\nx",
            "localhost:1",
            "x.lull.invalid",
        ] {
            let statement = WalletStatement { domain: domain.to_owned(), ..statement() };
            assert_eq!(text(&statement), Err(WalletProofError::NotThisMachine), "{domain}");
        }
        for nonce in ["", "0\n", &"A".repeat(32), &"é".repeat(16)] {
            let statement = WalletStatement { nonce: nonce.to_owned(), ..statement() };
            assert_eq!(text(&statement), Err(WalletProofError::Malformed), "{nonce}");
        }
        let never = WalletStatement { expires_at: UnixMillis(u64::MAX), ..statement() };
        assert_eq!(text(&never), Err(WalletProofError::Malformed));
    }
}

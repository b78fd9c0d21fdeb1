//! Proof of a wallet by a transaction: a Solana Pay request that a phone reads as a QR code, and what answers it.
//!
//! The request asks the wallet for a transfer to itself that names a reference, which stands for what the holder says.
//! It costs the chain's fee and moves nothing. That the wallet paid the fee of a transaction that names the reference
//! proves nothing: whoever sells something may have slipped it in. So the reference must be among the accounts of a
//! transfer from the wallet to itself, which nobody signs by mistake.

use std::fmt;

use lull_types::WalletAddress;

use crate::chain::{Address, Chain, ChainError, Instruction, Outcome, Signature, Transaction};
use crate::deposit::escaped;

/// The program that moves lamports.
const SYSTEM_PROGRAM: Address = Address::new_from_array([0; 32]);
/// Its instruction `Transfer`, by its number, 4 bytes little-endian.
const TRANSFER: [u8; 4] = 2u32.to_le_bytes();
/// What is moved, in SOL: a thousand lamports, as some wallets take a transfer of nothing for a mistake.
const AMOUNT: &str = "0.000001";
/// Transactions that are looked at. There is one, unless somebody who saw the code names its reference, too.
const MENTIONS_MAX: usize = 100;

/// A transfer of a wallet to itself that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofRequest {
    /// The wallet.
    pub wallet: WalletAddress,
    /// What the transfer names: [`lull_types::WalletStatement`] in one address.
    pub reference: Address,
    /// Who asks, for people.
    pub label: String,
    /// What for, for people.
    pub message: String,
}

/// The request as a URL, after Solana Pay's specification (docs.solanapay.com/spec).
impl fmt::Display for ProofRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wallet, reference, label, message } = self;
        let (label, message) = (escaped(label), escaped(message));
        write!(f, "solana:{wallet}?amount={AMOUNT}&reference={reference}&label={label}&message={message}")
    }
}

/// Whether a transaction is the proof of this wallet that the reference stands for.
pub fn proves(transaction: &Transaction, wallet: WalletAddress, reference: &Address) -> bool {
    let wallet = Address::new_from_array(*wallet.as_bytes());
    let is_proof = |Instruction { program, accounts, data }: &Instruction| {
        *program == SYSTEM_PROGRAM
            && data.starts_with(&TRANSFER)
            && accounts.starts_with(&[wallet, wallet])
            && accounts[2..].contains(reference)
    };
    transaction.outcome == Outcome::Done && transaction.instructions.iter().any(is_proof)
}

/// Looks for the final transaction that proves a wallet.
///
/// # Errors
/// When the chain does not answer.
pub async fn find(
    chain: &dyn Chain,
    wallet: WalletAddress,
    reference: &Address,
) -> Result<Option<Signature>, ChainError> {
    for signature in chain.newest_mentions(reference, MENTIONS_MAX).await? {
        // One that cannot be read yet is looked at next time.
        let transaction = chain.transaction(&signature).await?;
        if transaction.is_some_and(|transaction| proves(&transaction, wallet, reference)) {
            return Ok(Some(signature));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: &str = "mvines9iiHiQTysrwkJjGf2gb9Ex9jXJX8ns3qwf2kN";

    #[test]
    fn is_written_as_specified() {
        let request = ProofRequest {
            wallet: WALLET.parse().unwrap(),
            reference: Address::new_from_array([1; 32]),
            label: "Lull".to_owned(),
            message: "Pay 0202020202 here".to_owned(),
        };
        let expected = format!(
            "solana:{WALLET}?amount=0.000001&reference={}&label=Lull&message=Pay%200202020202%20here",
            request.reference
        );
        assert_eq!(request.to_string(), expected);
    }

    #[test]
    fn only_a_transfer_of_the_wallet_to_itself_proves_it() {
        let wallet: WalletAddress = WALLET.parse().unwrap();
        let own = Address::new_from_array(*wallet.as_bytes());
        let [reference, other] = [1, 2].map(|n| Address::new_from_array([n; 32]));
        let transfer = |accounts: &[Address]| Instruction {
            program: SYSTEM_PROGRAM,
            accounts: accounts.to_vec(),
            data: [&TRANSFER[..], &1000u64.to_le_bytes()].concat(),
        };
        let good = transfer(&[own, own, reference]);
        let check = |instructions: Vec<Instruction>, outcome| {
            let transaction = Transaction {
                slot: 1,
                outcome,
                fee_lamports: 5000,
                accounts: vec![own, reference, other],
                instructions,
                tokens: Vec::new(),
            };
            proves(&transaction, wallet, &reference)
        };
        assert!(check(vec![good.clone()], Outcome::Done));
        // Beside what wallets add: a price for being early, a memo.
        let added = Instruction { program: other, accounts: Vec::new(), data: vec![3] };
        assert!(check(vec![added.clone(), transfer(&[own, own, other, reference])], Outcome::Done));
        assert!(!check(vec![good.clone()], Outcome::Failed(String::new())));
        assert!(!check(vec![], Outcome::Done), "it only paid the fee");
        let others = [
            ("to somebody else", transfer(&[own, other, reference])),
            ("from somebody else", transfer(&[other, own, reference])),
            ("another reference", transfer(&[own, own, other])),
            ("no reference", transfer(&[own, own])),
            ("no accounts", transfer(&[])),
            ("another program", Instruction { program: other, ..good.clone() }),
            ("another instruction", Instruction { data: vec![0, 0, 0, 0], ..good.clone() }),
        ];
        for (what, instruction) in others {
            // The reference stands in another instruction of the same transaction.
            let smuggled = Instruction { accounts: vec![reference], ..added.clone() };
            assert!(!check(vec![instruction, smuggled], Outcome::Done), "{what}");
        }
    }
}

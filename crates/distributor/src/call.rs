//! Calls of the program: its instructions with the accounts that they need, in order.

use crate::address::{SYSTEM_PROGRAM, TOKEN_PROGRAM};
use crate::{Address, Claim, Instruction};

/// An account that an instruction names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where it is.
    pub address: Address,
    /// Whether its key signs.
    pub signs: bool,
    /// Whether it may be changed.
    pub writable: bool,
}

impl Account {
    fn new(address: Address) -> Self {
        Self { address, signs: false, writable: false }
    }

    fn signs(self) -> Self {
        Self { signs: true, ..self }
    }

    fn writable(self) -> Self {
        Self { writable: true, ..self }
    }
}

/// One instruction of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The distributor's address.
    pub program: Address,
    /// In the order in which the program takes them.
    pub accounts: Vec<Account>,
    /// The encoded [`Instruction`].
    pub data: Vec<u8>,
}

/// Where a network is on the chain; calls start here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The distributor's address.
    pub program: Address,
    /// The network's account.
    pub account: Address,
    /// The vault.
    pub vault: Address,
}

impl Network {
    fn call<const N: usize>(&self, instruction: Instruction, accounts: [Account; N]) -> Call {
        Call { program: self.program, accounts: accounts.into(), data: instruction.write() }
    }

    /// Makes the account. `payer` pays its rent; `key` is the network's public key, which signs, so that nobody else
    /// can take a network's account.
    pub fn initialize(
        &self,
        payer: Address,
        key: Address,
        authority: Address,
        mint: Address,
        withdrawal_delay_s: u32,
    ) -> Call {
        self.call(
            Instruction::Initialize { withdrawal_delay_s },
            [
                Account::new(payer).signs().writable(),
                Account::new(key).signs(),
                Account::new(authority).signs(),
                Account::new(self.account).writable(),
                Account::new(mint),
                Account::new(self.vault),
                Account::new(SYSTEM_PROGRAM),
            ],
        )
    }

    /// Posts a root; see [`Instruction::PostRoot`].
    pub fn post_root(&self, authority: Address, epoch: u64, committed: u64, root: &[u8; 32]) -> Call {
        self.call(
            Instruction::PostRoot { epoch, committed, root },
            [
                Account::new(authority).signs(),
                Account::new(self.account).writable(),
                Account::new(self.vault),
            ],
        )
    }

    /// Claims. Anyone may be `payer`, who pays the rent of `claim_account` the first time; `destination` is the
    /// wallet's associated token account.
    pub fn claim(&self, payer: Address, claim_account: Address, destination: Address, claim: Claim) -> Call {
        self.call(
            Instruction::Claim(claim),
            [
                Account::new(payer).signs().writable(),
                Account::new(self.account).writable(),
                Account::new(self.vault).writable(),
                Account::new(claim_account).writable(),
                Account::new(destination).writable(),
                Account::new(TOKEN_PROGRAM),
                Account::new(SYSTEM_PROGRAM),
            ],
        )
    }

    /// Hands the network to another authority; both sign.
    pub fn rotate_authority(&self, authority: Address, successor: Address) -> Call {
        self.call(
            Instruction::RotateAuthority,
            [
                Account::new(authority).signs(),
                Account::new(successor).signs(),
                Account::new(self.account).writable(),
            ],
        )
    }

    /// Announces a withdrawal to a token account.
    pub fn announce_withdrawal(&self, authority: Address, destination: Address, amount: u64) -> Call {
        self.call(
            Instruction::AnnounceWithdrawal { amount },
            [
                Account::new(authority).signs(),
                Account::new(self.account).writable(),
                Account::new(self.vault),
                Account::new(destination),
            ],
        )
    }

    /// Takes an announcement back.
    pub fn cancel_withdrawal(&self, authority: Address) -> Call {
        let accounts = [Account::new(authority).signs(), Account::new(self.account).writable()];
        self.call(Instruction::CancelWithdrawal, accounts)
    }

    /// Carries the announced withdrawal out, to the announced destination.
    pub fn withdraw_unclaimed(&self, authority: Address, destination: Address) -> Call {
        self.call(
            Instruction::WithdrawUnclaimed,
            [
                Account::new(authority).signs(),
                Account::new(self.account).writable(),
                Account::new(self.vault).writable(),
                Account::new(destination).writable(),
                Account::new(TOKEN_PROGRAM),
            ],
        )
    }
}

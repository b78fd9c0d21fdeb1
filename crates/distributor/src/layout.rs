//! The program's accounts as bytes. The program uses them in place, so the order of the fields is the layout.

use crate::Address;
use crate::hash::Hash;

/// A network's account. Every network has one, at the address that its public key derives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct NetworkAccount {
    /// What this account is: [`NetworkAccount::KIND`].
    pub kind: u8,
    /// Version of the layout: [`NetworkAccount::VERSION`].
    pub version: u8,
    /// Bump of this account's address.
    pub bump: u8,
    /// Zero.
    pub reserved: u8,
    /// Seconds from the announcement of a withdrawal to the withdrawal; never changes.
    pub withdrawal_delay_s: u32,
    /// The network's public key.
    pub network: Address,
    /// Who posts roots and withdraws.
    pub authority: Address,
    /// The token that is paid.
    pub mint: Address,
    /// The token account that payments come from; this account is its owner.
    pub vault: Address,
    /// Root over lifetime earnings; zeros before the first.
    pub root: Hash,
    /// Counts the roots; 0 before the first.
    pub epoch: u64,
    /// Sum of the lifetime earnings under the root, base units.
    pub committed: u64,
    /// Sum of all claims that were paid, base units; never above `committed`.
    pub claimed: u64,
    /// Sum of all withdrawals, base units.
    pub withdrawn: u64,
    /// The announced withdrawal, base units; 0 when there is none.
    pub withdrawal_amount: u64,
    /// The second, since 1970, from which the announced withdrawal can be carried out.
    pub withdrawal_available_at_s: i64,
    /// The token account to which the announced withdrawal goes.
    pub withdrawal_destination: Address,
}

/// What the claims of one worker to one wallet have paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ClaimAccount {
    /// What this account is: [`ClaimAccount::KIND`].
    pub kind: u8,
    /// Version of the layout: [`ClaimAccount::VERSION`].
    pub version: u8,
    /// Bump of this account's address.
    pub bump: u8,
    /// Zero.
    pub reserved: [u8; 5],
    /// Base units.
    pub claimed: u64,
}

impl NetworkAccount {
    /// Marks a network's account.
    pub const KIND: u8 = 1;
    /// The only layout so far.
    pub const VERSION: u8 = 1;
    /// Bytes.
    pub const LEN: usize = size_of::<Self>();

    /// What claims can still ask for, base units.
    #[inline(always)]
    pub fn owed(&self) -> u64 {
        // Claims never exceed what was committed; saturating keeps the arithmetic free of a panic.
        self.committed.saturating_sub(self.claimed)
    }
}

impl ClaimAccount {
    /// Marks an account of claims.
    pub const KIND: u8 = 2;
    /// The only layout so far.
    pub const VERSION: u8 = 1;
    /// Bytes.
    pub const LEN: usize = size_of::<Self>();
}

// The layouts have no gaps, and docs/settlement.md gives these offsets.
const _: () = {
    use core::mem::offset_of;
    assert!(NetworkAccount::LEN == 248 && ClaimAccount::LEN == 16);
    assert!(offset_of!(NetworkAccount, network) == 8);
    assert!(offset_of!(NetworkAccount, root) == 136);
    assert!(offset_of!(NetworkAccount, epoch) == 168);
    assert!(offset_of!(NetworkAccount, withdrawal_destination) == 216);
    assert!(offset_of!(ClaimAccount, claimed) == 8);
};

#[cfg(not(target_arch = "bpf"))]
mod read {
    use super::{ClaimAccount, NetworkAccount};

    /// Takes fields off the front.
    struct Fields<'a>(&'a [u8]);

    impl Fields<'_> {
        fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
            let (field, rest) = self.0.split_first_chunk()?;
            self.0 = rest;
            Some(*field)
        }

        fn integer(&mut self) -> Option<u64> {
            self.take().map(u64::from_le_bytes)
        }
    }

    impl NetworkAccount {
        /// Reads an account's data; `None` when it is not a network's account of this version.
        pub fn read(data: &[u8]) -> Option<Self> {
            let mut fields = Fields(data);
            let [kind, version, bump, reserved] = fields.take()?;
            let account = Self {
                kind,
                version,
                bump,
                reserved,
                withdrawal_delay_s: u32::from_le_bytes(fields.take()?),
                network: fields.take()?,
                authority: fields.take()?,
                mint: fields.take()?,
                vault: fields.take()?,
                root: fields.take()?,
                epoch: fields.integer()?,
                committed: fields.integer()?,
                claimed: fields.integer()?,
                withdrawn: fields.integer()?,
                withdrawal_amount: fields.integer()?,
                withdrawal_available_at_s: i64::from_le_bytes(fields.take()?),
                withdrawal_destination: fields.take()?,
            };
            (fields.0.is_empty() && kind == Self::KIND && version == Self::VERSION).then_some(account)
        }
    }

    impl ClaimAccount {
        /// Reads an account's data; `None` when it is not an account of claims of this version.
        pub fn read(data: &[u8]) -> Option<Self> {
            let mut fields = Fields(data);
            let [kind, version, bump] = fields.take()?;
            let account = Self { kind, version, bump, reserved: fields.take()?, claimed: fields.integer()? };
            (fields.0.is_empty() && kind == Self::KIND && version == Self::VERSION).then_some(account)
        }
    }
}

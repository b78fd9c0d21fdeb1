//! A chain with one network on it.

use litesvm::LiteSVM;
use lull_distributor::address::{
    ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM, claim_seeds, network_seeds, token_account_seeds,
};
use lull_distributor::{
    Address, Call, Claim, ClaimAccount, Error, Network, NetworkAccount, Tree, WITHDRAWAL_DELAY_S_MIN, hash,
};
use solana_account::Account;
use solana_address::Address as SolanaAddress;
use solana_clock::Clock;
use solana_instruction::error::InstructionError;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;
use solana_transaction::Transaction;

const ARTEFACT: &[u8] = include_bytes!("../../distributor.so");

pub const PROGRAM: Address = [11; 32];
pub const KEY: Address = [12; 32];
pub const AUTHORITY: Address = [13; 32];
pub const PAYER: Address = [14; 32];
pub const MINT: Address = [15; 32];
pub const VAULT: Address = [16; 32];
/// What every address is given that must exist.
const PLENTY: u64 = 1_000_000_000_000;
/// Where the clock starts, seconds since 1970.
pub const START_S: i64 = 1_800_000_000;

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The program refused.
    Refused(Error),
    /// The runtime or another program did.
    Elsewhere(String),
}

/// A chain. Signatures are not verified, as the program sees only who signed; so addresses need no keys.
#[derive(Clone)]
pub struct World {
    pub svm: LiteSVM,
    pub network: Network,
}

pub fn find(seeds: &[&[u8]], program: &Address) -> (Address, u8) {
    let (address, bump) =
        SolanaAddress::find_program_address(seeds, &SolanaAddress::new_from_array(*program));
    (address.to_bytes(), bump)
}

pub fn network_account(key: &Address) -> Address {
    find(&network_seeds(key), &PROGRAM).0
}

/// A wallet's token account, and its bump.
pub fn associated(wallet: &Address, mint: &Address) -> (Address, u8) {
    find(&token_account_seeds(wallet, mint), &ASSOCIATED_TOKEN_PROGRAM)
}

/// Bytes of a token account.
pub fn token_account(mint: &Address, owner: &Address, amount: u64) -> Vec<u8> {
    let mut data = vec![0; 165];
    data[..32].copy_from_slice(mint);
    data[32..64].copy_from_slice(owner);
    data[64..72].copy_from_slice(&amount.to_le_bytes());
    data[108] = 1;
    data
}

impl World {
    /// A chain with a mint and an empty vault, and no network yet.
    pub fn bare() -> Self {
        let mut svm =
            LiteSVM::new().with_sigverify(false).with_blockhash_check(false).with_transaction_history(0);
        svm.add_program(PROGRAM, ARTEFACT).unwrap();
        let network = Network { program: PROGRAM, account: network_account(&KEY), vault: VAULT };
        let mut world = Self { svm, network };
        for address in [PAYER, AUTHORITY, KEY] {
            world.put(address, [0; 32], vec![]);
        }
        let mut mint = vec![0; 82];
        mint[45] = 1;
        world.put(MINT, TOKEN_PROGRAM, mint);
        world.put(VAULT, TOKEN_PROGRAM, token_account(&MINT, &network.account, 0));
        world.set_now(START_S);
        world
    }

    /// A chain with a network.
    pub fn new() -> Self {
        let mut world = Self::bare();
        world.call(&world.initialize()).unwrap();
        world
    }

    pub fn initialize(&self) -> Call {
        self.network.initialize(PAYER, KEY, AUTHORITY, MINT, WITHDRAWAL_DELAY_S_MIN)
    }

    pub fn put(&mut self, address: Address, owner: Address, data: Vec<u8>) {
        let account = Account { lamports: PLENTY, data, owner: owner.into(), ..Account::default() };
        self.svm.set_account(address.into(), account).unwrap();
    }

    pub fn set_now(&mut self, unix_timestamp: i64) {
        let clock: Clock = self.svm.get_sysvar();
        self.svm.set_sysvar(&Clock { unix_timestamp, ..clock });
    }

    /// Runs one call in a transaction and tells what it cost, compute units.
    pub fn call(&mut self, call: &Call) -> Result<u64, Failure> {
        let transaction = Transaction::new_unsigned(Message::new(&[instruction(call)], Some(&PAYER.into())));
        let result = self.svm.send_transaction(transaction);
        result.map(|done| done.compute_units_consumed).map_err(|failed| {
            let text = format!("{:?} {:?}", failed.err, failed.meta.logs);
            match failed.err {
                solana_transaction::TransactionError::InstructionError(_, InstructionError::Custom(code)) => {
                    Error::from_code(code).map_or(Failure::Elsewhere(text), Failure::Refused)
                }
                _ => Failure::Elsewhere(text),
            }
        })
    }

    pub fn data(&self, address: &Address) -> Option<Vec<u8>> {
        self.svm.get_account(&(*address).into()).map(|account| account.data)
    }

    pub fn state(&self) -> NetworkAccount {
        NetworkAccount::read(&self.data(&self.network.account).unwrap()).unwrap()
    }

    pub fn balance(&self, token_account: &Address) -> u64 {
        let data = self.data(token_account).unwrap_or_default();
        data.get(64..72).map_or(0, |amount| u64::from_le_bytes(amount.try_into().unwrap()))
    }

    /// Puts tokens into the vault, as anyone can.
    pub fn deposit(&mut self, amount: u64) {
        let amount = self.balance(&VAULT) + amount;
        self.put(VAULT, TOKEN_PROGRAM, token_account(&MINT, &self.network.account, amount));
    }

    /// Gives a wallet its token account, empty.
    pub fn open_wallet(&mut self, wallet: &Address) -> Address {
        let (address, _) = associated(wallet, &MINT);
        self.put(address, TOKEN_PROGRAM, token_account(&MINT, wallet, 0));
        address
    }

    pub fn leaf(&self, worker: &Address, wallet: &Address, lifetime: u64) -> hash::Hash {
        hash::leaf(&self.network.account, worker, wallet, lifetime)
    }

    pub fn claim_account(&self, worker: &Address, wallet: &Address) -> Address {
        find(&claim_seeds(&self.network.account, worker, wallet), &PROGRAM).0
    }

    pub fn claimed(&self, worker: &Address, wallet: &Address) -> u64 {
        let data = self.data(&self.claim_account(worker, wallet)).unwrap_or_default();
        ClaimAccount::read(&data).map_or(0, |claims| claims.claimed)
    }

    pub fn claim(&self, worker: &Address, wallet: &Address, lifetime: u64, proof: &[hash::Hash]) -> Call {
        let (destination, destination_bump) = associated(wallet, &MINT);
        let claim = Claim { destination_bump, lifetime, worker, proof };
        self.network.claim(PAYER, self.claim_account(worker, wallet), destination, claim)
    }

    /// Posts the root over these earnings, for the next epoch.
    pub fn post(&mut self, earnings: &[(Address, Address, u64)]) -> Tree {
        let leaves = earnings.iter().map(|(worker, wallet, lifetime)| self.leaf(worker, wallet, *lifetime));
        let tree = Tree::new(leaves.collect());
        let committed = earnings.iter().map(|(_, _, lifetime)| lifetime).sum();
        let epoch = self.state().epoch + 1;
        self.call(&self.network.post_root(AUTHORITY, epoch, committed, &tree.root())).unwrap();
        tree
    }
}

/// A call as Solana's crates have it.
pub fn instruction(call: &Call) -> Instruction {
    let accounts = call.accounts.iter().map(|account| AccountMeta {
        pubkey: account.address.into(),
        is_signer: account.signs,
        is_writable: account.writable,
    });
    Instruction { program_id: call.program.into(), accounts: accounts.collect(), data: call.data.clone() }
}

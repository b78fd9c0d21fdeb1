//! What every [`Chain`] must do, whichever ledger is behind it.

use lull_settlement::chain::{
    Account, Address, BLOCKHASH_BLOCKS, Blockhash, Chain, ChainError, Outcome, Signature, Status,
    TOKEN_PROGRAM, TokenAccount, TokenChange,
};
use lull_types::BaseUnits;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::{Keypair, Signer as _};
use solana_message::{Message, VersionedMessage};
use solana_transaction::versioned::VersionedTransaction;

/// The fee of a transaction with one signature, by the protocol.
pub const FEE_LAMPORTS: u64 = 5000;

/// A ledger with a rich payer, whose time can be moved.
pub trait Stage {
    /// The ledger.
    fn chain(&self) -> &impl Chain;
    /// Who has at least 10 SOL on it.
    fn payer(&self) -> &Keypair;
    /// Lets time pass until everything so far is final.
    async fn finalize(&self);
    /// Lets time pass until every blockhash so far has ended.
    async fn expire(&self);
    /// Makes an account, as a faucet or a first block does. Where only a first block can, it is one of
    /// [`accounts`], and there already.
    async fn put(&self, address: Address, account: Account);
}

/// A signed transaction, as it goes over the wire.
pub fn sign(
    payer: &Keypair,
    others: &[&Keypair],
    instructions: &[Instruction],
    blockhash: Blockhash,
) -> Vec<u8> {
    let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &blockhash);
    let bytes = bincode::serialize(&message).unwrap();
    let signer = |address: &Address| {
        *std::iter::once(&payer).chain(others).find(|key| key.pubkey() == *address).unwrap()
    };
    let signing = &message.account_keys[..usize::from(message.header.num_required_signatures)];
    let signatures = signing.iter().map(|address| signer(address).sign_message(&bytes)).collect();
    let transaction = VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) };
    bincode::serialize(&transaction).unwrap()
}

/// Moves lamports.
pub fn transfer(from: &Address, to: &Address, lamports: u64) -> Instruction {
    let data = [&2u32.to_le_bytes()[..], &lamports.to_le_bytes()].concat();
    let accounts = vec![AccountMeta::new(*from, true), AccountMeta::new(*to, false)];
    Instruction { program_id: Address::default(), accounts, data }
}

/// Moves tokens, and names `reference` without using it, as Solana Pay does.
pub fn move_tokens(
    owner: &Address,
    from: &Address,
    to: &Address,
    amount: u64,
    reference: &Address,
) -> Instruction {
    let data = [&[3][..], &amount.to_le_bytes()].concat();
    let accounts = vec![
        AccountMeta::new(*from, false),
        AccountMeta::new(*to, false),
        AccountMeta::new_readonly(*owner, true),
        AccountMeta::new_readonly(*reference, false),
    ];
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}

/// A token account's bytes.
pub fn token_account(mint: &Address, owner: &Address, amount: u64) -> Vec<u8> {
    let mut data = vec![0; 165];
    data[..32].copy_from_slice(&mint.to_bytes());
    data[32..64].copy_from_slice(&owner.to_bytes());
    data[64..72].copy_from_slice(&amount.to_le_bytes());
    data[108] = 1;
    data
}

/// Every account that is put, for a payer.
pub fn accounts(payer: &Address) -> [(Address, Account); 3] {
    let mint = address(50);
    let mut mint_data = vec![0; 82];
    mint_data[45] = 1;
    let of = |data: Vec<u8>| Account { lamports: 10_000_000, owner: TOKEN_PROGRAM, data };
    [
        (mint, of(mint_data)),
        (address(52), of(token_account(&mint, payer, 500))),
        (address(53), of(token_account(&mint, &address(54), 7))),
    ]
}

pub fn address(n: u8) -> Address {
    Address::new_from_array([n; 32])
}

async fn status(chain: &impl Chain, signature: Signature) -> Status {
    chain.statuses(&[signature]).await.unwrap().remove(0)
}

/// All of it.
pub async fn holds(stage: &impl Stage) {
    blockhashes_end_ahead(stage).await;
    a_transfer_becomes_final(stage).await;
    the_same_bytes_count_once(stage).await;
    what_cannot_be_paid_is_refused(stage).await;
    an_old_blockhash_is_refused(stage).await;
    tokens_move_and_a_reference_finds_it(stage).await;
}

async fn blockhashes_end_ahead(stage: &impl Stage) {
    let chain = stage.chain();
    let recent = chain.recent().await.unwrap();
    let height = chain.finalized_height().await.unwrap();
    assert!(recent.last_valid_height > height && recent.last_valid_height <= height + 3 * BLOCKHASH_BLOCKS);
    assert_eq!(chain.rent_exempt(0).await.unwrap(), 890_880);
}

async fn a_transfer_becomes_final(stage: &impl Stage) {
    let (chain, payer, to) = (stage.chain(), stage.payer(), Keypair::new().pubkey());
    let recent = chain.recent().await.unwrap();
    let bytes = sign(payer, &[], &[transfer(&payer.pubkey(), &to, 1_000_000)], recent.blockhash);
    let unsent = Signature::from([9; 64]);
    assert!(matches!(status(chain, unsent).await, Status::Unknown { .. }));
    let signature = chain.send(&bytes).await.unwrap();
    assert_eq!(signature.as_ref(), &bytes[1..65], "a transaction goes by its first signature");
    assert_eq!(chain.account(&to).await.unwrap(), None, "accounts are read at finalized");
    assert_eq!(chain.transaction(&signature).await.unwrap(), None);
    stage.finalize().await;
    let Status::Finalized { slot, outcome: Outcome::Done } = status(chain, signature).await else {
        panic!("{:?}", status(chain, signature).await);
    };
    let account = chain.account(&to).await.unwrap().unwrap();
    assert_eq!(account, Account { lamports: 1_000_000, owner: Address::default(), data: vec![] });
    let done = chain.transaction(&signature).await.unwrap().unwrap();
    assert_eq!((done.slot, done.fee_lamports, done.outcome), (slot, FEE_LAMPORTS, Outcome::Done));
    assert!(done.accounts.contains(&to) && done.tokens.is_empty());
}

async fn the_same_bytes_count_once(stage: &impl Stage) {
    let (chain, payer, to) = (stage.chain(), stage.payer(), Keypair::new().pubkey());
    let recent = chain.recent().await.unwrap();
    let bytes = sign(payer, &[], &[transfer(&payer.pubkey(), &to, 1_000_000)], recent.blockhash);
    let signature = chain.send(&bytes).await.unwrap();
    assert_eq!(chain.send(&bytes).await, Ok(signature));
    stage.finalize().await;
    assert_eq!(chain.send(&bytes).await, Ok(signature));
    stage.finalize().await;
    assert_eq!(chain.account(&to).await.unwrap().unwrap().lamports, 1_000_000);
}

async fn what_cannot_be_paid_is_refused(stage: &impl Stage) {
    let (chain, payer, to) = (stage.chain(), stage.payer(), Keypair::new().pubkey());
    let recent = chain.recent().await.unwrap();
    let good = sign(payer, &[], &[transfer(&payer.pubkey(), &to, 1_000_000)], recent.blockhash);
    assert_eq!(chain.send(&good[..good.len() - 1]).await, Err(ChainError::NotATransaction));
    assert_eq!(chain.send(&[]).await, Err(ChainError::NotATransaction));
    let mut forged = good.clone();
    forged[10] ^= 1;
    assert!(matches!(chain.send(&forged).await, Err(ChainError::Refused(_))));
    let too_much = sign(payer, &[], &[transfer(&payer.pubkey(), &to, u64::MAX / 2)], recent.blockhash);
    assert!(matches!(chain.send(&too_much).await, Err(ChainError::Refused(_))));
    stage.finalize().await;
    let signature = Signature::from(<[u8; 64]>::try_from(&too_much[1..65]).unwrap());
    assert!(matches!(status(chain, signature).await, Status::Unknown { .. }));
    assert_eq!(chain.account(&to).await.unwrap(), None);
}

async fn an_old_blockhash_is_refused(stage: &impl Stage) {
    let (chain, payer, to) = (stage.chain(), stage.payer(), Keypair::new().pubkey());
    let recent = chain.recent().await.unwrap();
    let bytes = sign(payer, &[], &[transfer(&payer.pubkey(), &to, 1_000_000)], recent.blockhash);
    stage.expire().await;
    assert!(matches!(chain.send(&bytes).await, Err(ChainError::Refused(_))));
    stage.finalize().await;
    let signature = Signature::from(<[u8; 64]>::try_from(&bytes[1..65]).unwrap());
    let Status::Unknown { searched_to } = status(chain, signature).await else { panic!("it was never sent") };
    assert!(searched_to > recent.last_valid_height, "so that the sender may sign again");
}

async fn tokens_move_and_a_reference_finds_it(stage: &impl Stage) {
    let (chain, payer) = (stage.chain(), stage.payer());
    let (mint, owner, reference) = (address(50), payer.pubkey(), address(51));
    let (from, to) = (address(52), address(53));
    for (address, account) in accounts(&owner) {
        stage.put(address, account).await;
    }
    let mut sent = Vec::new();
    for amount in [100, 30] {
        let recent = chain.recent().await.unwrap();
        let instruction = move_tokens(&owner, &from, &to, amount, &reference);
        sent.push(chain.send(&sign(payer, &[], &[instruction], recent.blockhash)).await.unwrap());
        assert!(
            chain.mentions(&reference, None).await.unwrap().len() < sent.len(),
            "only what is final is found"
        );
        stage.finalize().await;
    }
    assert_eq!(chain.mentions(&reference, None).await.unwrap(), [sent[1], sent[0]], "the newest first");
    assert_eq!(chain.mentions(&reference, Some(&sent[0])).await.unwrap(), [sent[1]]);
    assert_eq!(chain.mentions(&reference, Some(&sent[1])).await.unwrap(), []);
    let change = |account, before, after| TokenChange {
        account,
        mint,
        before: BaseUnits(before),
        after: BaseUnits(after),
    };
    let moved = chain.transaction(&sent[0]).await.unwrap().unwrap();
    assert_eq!(moved.tokens, [change(from, 500, 400), change(to, 7, 107)]);
    let held = TokenAccount { mint, owner: address(54), amount: BaseUnits(137) };
    assert_eq!(chain.token_account(&to).await.unwrap(), Some(held));
    assert_eq!(chain.token_account(&mint).await.unwrap(), None, "a mint is no token account");
}

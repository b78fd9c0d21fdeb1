//! What each instruction costs, and that it stays so; `cargo xtask program --measure` prints it.

use lull_distributor::{Call, WITHDRAWAL_DELAY_S_MIN, hash};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;

use crate::world::{AUTHORITY, MINT, PAYER, START_S, World, associated, instruction};

const WORKER: [u8; 32] = [21; 32];
const WALLET: [u8; 32] = [22; 32];
/// A transaction's length, bytes: what fits into one IPv6 packet of 1,280.
const TRANSACTION_BYTES_MAX: usize = 1232;

/// A root over one leaf, `levels` above it, and the way to it.
fn deep(world: &World, lifetime: u64, levels: u8) -> (hash::Hash, Vec<hash::Hash>) {
    let proof: Vec<hash::Hash> = (0..levels).map(|level| hash::sha256(&[&[level]])).collect();
    (hash::root(world.leaf(&WORKER, &WALLET, lifetime), &proof), proof)
}

#[test]
fn cost_of_each_instruction_is_bounded() {
    let mut world = World::bare();
    let mut table = Vec::new();
    let mut run = |world: &mut World, name: &'static str, most: u64, call: Call| {
        table.push((name, world.call(&call).unwrap(), most));
    };
    let initialize = world.initialize();
    run(&mut world, "initialize", INITIALIZE, initialize);
    world.deposit(1_000);
    world.open_wallet(&WALLET);
    let mut lifetime = 0;
    for (levels, first, later) in
        [(10, "first claim, 1,000 leaves", "later claim, 1,000 leaves"), (20, "", "later claim, 2^20 leaves")]
    {
        for (name, most) in
            [(first, FIRST_CLAIM), (later, if levels == 10 { CLAIM_1000 } else { CLAIM_2_20 })]
        {
            lifetime += 10;
            let (root, proof) = deep(&world, lifetime, levels);
            let post = world.network.post_root(AUTHORITY, lifetime, lifetime, &root);
            if lifetime == 10 {
                run(&mut world, "post_root", POST_ROOT, post);
            } else {
                world.call(&post).unwrap();
            }
            let claim = world.claim(&WORKER, &WALLET, lifetime, &proof);
            if name.is_empty() {
                world.call(&claim).unwrap();
            } else {
                run(&mut world, name, most, claim);
            }
        }
    }
    // Another worker, so that its account is created.
    let mut fresh = World::new();
    fresh.deposit(1_000);
    fresh.open_wallet(&WALLET);
    let (root, proof) = deep(&fresh, 10, 20);
    fresh.call(&fresh.network.post_root(AUTHORITY, 1, 10, &root)).unwrap();
    let claim = fresh.claim(&WORKER, &WALLET, 10, &proof);
    run(&mut fresh, "first claim, 2^20 leaves", FIRST_CLAIM_2_20, claim);

    let destination = world.open_wallet(&AUTHORITY);
    let network = world.network;
    run(&mut world, "announce_withdrawal", SMALL, network.announce_withdrawal(AUTHORITY, destination, 5));
    run(&mut world, "cancel_withdrawal", SMALL, network.cancel_withdrawal(AUTHORITY));
    world.call(&network.announce_withdrawal(AUTHORITY, destination, 5)).unwrap();
    world.set_now(START_S + i64::from(WITHDRAWAL_DELAY_S_MIN));
    run(&mut world, "withdraw_unclaimed", WITHDRAW, network.withdraw_unclaimed(AUTHORITY, destination));
    run(&mut world, "rotate_authority", SMALL, network.rotate_authority(AUTHORITY, PAYER));

    println!("{:<28}{:>8}{:>8}", "compute units", "used", "bound");
    for (name, used, most) in &table {
        println!("{name:<28}{used:>8}{most:>8}");
    }
    for (name, used, most) in table {
        assert!(used <= most, "{name} costs {used} compute units, more than {most}");
    }
}

// About a tenth above what was measured, so that a regression fails and a new virtual machine does not.
const INITIALIZE: u64 = 100_000;
const POST_ROOT: u64 = 100_000;
const FIRST_CLAIM: u64 = 100_000;
const FIRST_CLAIM_2_20: u64 = 100_000;
const CLAIM_1000: u64 = 100_000;
const CLAIM_2_20: u64 = 100_000;
const SMALL: u64 = 100_000;
const WITHDRAW: u64 = 100_000;

#[test]
fn a_claim_among_a_million_workers_fits_into_a_transaction() {
    let world = World::new();
    let (_, proof) = deep(&world, 1, 20);
    let claim = instruction(&world.claim(&WORKER, &WALLET, 1, &proof));
    let budget = |data: Vec<u8>| Instruction {
        program_id: Address::from_str_const("ComputeBudget111111111111111111111111111111"),
        accounts: vec![],
        data,
    };
    let limit = budget([&[2][..], &200_000u32.to_le_bytes()].concat());
    let price = budget([&[3][..], &1_000u64.to_le_bytes()].concat());
    // CreateIdempotent of the associated token program: somebody's first payout ever.
    let open = Instruction {
        program_id: lull_distributor::address::ASSOCIATED_TOKEN_PROGRAM.into(),
        accounts: vec![
            AccountMeta::new(PAYER.into(), true),
            AccountMeta::new(associated(&WALLET, &MINT).0.into(), false),
            AccountMeta::new_readonly(WALLET.into(), false),
            AccountMeta::new_readonly(MINT.into(), false),
            AccountMeta::new_readonly([0; 32].into(), false),
            AccountMeta::new_readonly(lull_distributor::address::TOKEN_PROGRAM.into(), false),
        ],
        data: vec![1],
    };
    let length = |instructions: &[Instruction]| {
        let message = Message::new(instructions, Some(&PAYER.into()));
        // A count and one signature come before the message.
        1 + 64 + message.serialize().len()
    };
    let plain = length(&[limit.clone(), price.clone(), claim.clone()]);
    let opening = length(&[limit, price, open, claim]);
    println!(
        "a claim under 20 levels: {plain} bytes; with the wallet's token account opened: {opening} bytes"
    );
    assert!(plain < opening && opening <= TRANSACTION_BYTES_MAX);
}

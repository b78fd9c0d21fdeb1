//! Every instruction, done right and wrong.

use lull_distributor::address::TOKEN_PROGRAM;
use lull_distributor::{
    Call, Claim, ClaimAccount, Error, Instruction, Network, NetworkAccount, WITHDRAWAL_DELAY_S_MIN,
};

use crate::world::{
    AUTHORITY, Failure, KEY, MINT, PAYER, PROGRAM, START_S, VAULT, World, associated, network_account,
    token_account,
};

const WORKER: [u8; 32] = [21; 32];
const WALLET: [u8; 32] = [22; 32];
const OTHER: [u8; 32] = [23; 32];

/// A network that owes 600 of 1,000.
fn owing() -> (World, Call) {
    let mut world = World::new();
    world.deposit(1_000);
    world.open_wallet(&WALLET);
    let tree = world.post(&[(WORKER, WALLET, 600), (OTHER, OTHER, 0)]);
    let claim = world.claim(&WORKER, &WALLET, 600, &tree.proof(0).unwrap());
    (world, claim)
}

fn refused(world: &mut World, call: &Call, error: Error) {
    let before = world.state();
    assert_eq!(world.call(call), Err(Failure::Refused(error)), "{}", error.sentence());
    assert_eq!(world.state(), before);
}

fn changed(call: &Call, change: impl FnOnce(&mut Call)) -> Call {
    let mut call = call.clone();
    change(&mut call);
    call
}

#[test]
fn a_new_network_owes_nothing() {
    let world = World::new();
    let state = world.state();
    assert_eq!((state.network, state.authority, state.mint, state.vault), (KEY, AUTHORITY, MINT, VAULT));
    assert_eq!((state.epoch, state.committed, state.claimed, state.withdrawn), (0, 0, 0, 0));
    assert_eq!((state.root, state.withdrawal_delay_s), ([0; 32], WITHDRAWAL_DELAY_S_MIN));
    let account = world.svm.get_account(&world.network.account.into()).unwrap();
    assert_eq!(account.lamports, world.svm.minimum_balance_for_rent_exemption(NetworkAccount::LEN));
}

#[test]
fn initialize_refuses() {
    let fails = |error, prepare: &dyn Fn(&mut World), change: &dyn Fn(&mut Call)| {
        let mut world = World::bare();
        prepare(&mut world);
        let call = changed(&world.initialize(), change);
        assert_eq!(world.call(&call), Err(Failure::Refused(error)));
    };
    let as_is = |_: &mut World| ();
    fails(Error::MissingSignature, &as_is, &|call| call.accounts[1].signs = false);
    fails(Error::MissingSignature, &as_is, &|call| call.accounts[2].signs = false);
    fails(Error::WrongNetwork, &as_is, &|call| call.accounts[1].address = OTHER);
    fails(Error::WrongNetwork, &as_is, &|call| call.accounts[3].address = OTHER);
    fails(Error::WrongMint, &as_is, &|call| call.accounts[4].address = VAULT);
    fails(Error::WrongMint, &as_is, &|call| call.accounts[4].address = OTHER);
    fails(Error::MissingAccount, &as_is, &|call| call.accounts.truncate(5));
    fails(Error::DelayTooShort, &as_is, &|call| {
        call.data = Instruction::Initialize { withdrawal_delay_s: WITHDRAWAL_DELAY_S_MIN - 1 }.write();
    });
    fails(Error::AlreadyInitialized, &|world| drop(world.call(&world.initialize()).unwrap()), &|_| ());
    // A vault that somebody else could empty, or that is none.
    for (at, value) in [(0, 99), (32, 99), (72, 1), (108, 0), (108, 2), (129, 1)] {
        let spoil = |world: &mut World| {
            let mut data = world.data(&VAULT).unwrap();
            data[at] = value;
            world.put(VAULT, TOKEN_PROGRAM, data);
        };
        fails(Error::UnsuitableVault, &spoil, &|_| ());
    }
    let foreign = |world: &mut World| world.put(VAULT, OTHER, world.data(&VAULT).unwrap());
    fails(Error::UnsuitableVault, &foreign, &|_| ());
}

#[test]
fn lamports_sent_ahead_hinder_nobody() {
    for ahead in [1, 890_880, 1_000_000_000] {
        let mut world = World::bare();
        let grown = |world: &mut World, address: [u8; 32], len| {
            let account = world.svm.get_account(&address.into()).unwrap();
            let rent = world.svm.minimum_balance_for_rent_exemption(len);
            assert_eq!((account.data.len(), account.lamports), (len, rent.max(ahead)));
        };
        let sent = |world: &mut World, address: [u8; 32]| {
            let account = solana_account::Account { lamports: ahead, ..Default::default() };
            world.svm.set_account(address.into(), account).unwrap();
        };
        let network = world.network;
        sent(&mut world, network.account);
        world.call(&world.initialize()).unwrap();
        grown(&mut world, network.account, NetworkAccount::LEN);
        world.deposit(10);
        world.open_wallet(&WALLET);
        let claims = world.claim_account(&WORKER, &WALLET);
        sent(&mut world, claims);
        let tree = world.post(&[(WORKER, WALLET, 10)]);
        world.call(&world.claim(&WORKER, &WALLET, 10, &tree.proof(0).unwrap())).unwrap();
        grown(&mut world, claims, ClaimAccount::LEN);
    }
}

#[test]
fn rent_is_enough_where_it_is_stated_by_the_year() {
    let mut world = World::bare();
    let mut rent: Vec<u8> = Vec::new();
    rent.extend(3_480u64.to_le_bytes());
    rent.extend(2f64.to_le_bytes());
    rent.push(50);
    let id = solana_address::Address::from_str_const("SysvarRent111111111111111111111111111111111");
    let account = world.svm.get_account(&id).unwrap();
    world.svm.set_account(id, solana_account::Account { data: rent, ..account }).unwrap();
    world.call(&world.initialize()).unwrap();
    let account = world.svm.get_account(&world.network.account.into()).unwrap();
    assert_eq!(account.lamports, 6_960 * (128 + NetworkAccount::LEN as u64));
}

#[test]
fn post_root_refuses() {
    let (mut world, _) = owing();
    let network = world.network;
    let post = |epoch, committed| network.post_root(AUTHORITY, epoch, committed, &[9; 32]);
    refused(&mut world, &post(1, 600), Error::StaleEpoch);
    refused(&mut world, &post(0, 600), Error::StaleEpoch);
    refused(&mut world, &post(2, 599), Error::CommittedFell);
    refused(&mut world, &post(2, 1_001), Error::Uncovered);
    refused(&mut world, &post(2, u64::MAX), Error::Uncovered);
    let good = post(2, 1_000);
    refused(&mut world, &changed(&good, |call| call.accounts[0].signs = false), Error::MissingSignature);
    refused(&mut world, &changed(&good, |call| call.accounts[0].address = OTHER), Error::WrongAuthority);
    refused(&mut world, &changed(&good, |call| call.accounts[2].address = OTHER), Error::WrongVault);
    refused(&mut world, &changed(&good, |call| call.accounts[1].address = VAULT), Error::WrongNetwork);
    refused(&mut world, &changed(&good, |call| call.accounts.truncate(2)), Error::MissingAccount);
    for data in [vec![], vec![7], vec![255; 49], vec![1; 48], vec![1; 50]] {
        refused(&mut world, &changed(&good, |call| call.data = data), Error::MalformedInstruction);
    }
    world.call(&good).unwrap();
    // What is withdrawn soon does not cover what is promised.
    world.deposit(100);
    let destination = world.open_wallet(&AUTHORITY);
    world.call(&network.announce_withdrawal(AUTHORITY, destination, 100)).unwrap();
    refused(&mut world, &post(3, 1_001), Error::Uncovered);
    world.call(&post(u64::MAX, 1_000)).unwrap();
    refused(&mut world, &post(u64::MAX, 1_000), Error::StaleEpoch);
}

#[test]
fn a_claim_pays_what_was_earned_since() {
    let (mut world, claim) = owing();
    let (destination, _) = associated(&WALLET, &MINT);
    world.call(&claim).unwrap();
    assert_eq!((world.balance(&destination), world.balance(&VAULT)), (600, 400));
    refused(&mut world, &claim, Error::NothingToClaim);
    let tree = world.post(&[(WORKER, WALLET, 700), (OTHER, OTHER, 0)]);
    refused(&mut world, &claim, Error::WrongProof);
    world.call(&world.claim(&WORKER, &WALLET, 700, &tree.proof(0).unwrap())).unwrap();
    assert_eq!((world.balance(&destination), world.claimed(&WORKER, &WALLET)), (700, 700));
    assert_eq!(world.state().claimed, 700);
}

#[test]
fn claim_refuses() {
    let (mut world, good) = owing();
    let stolen = world.open_wallet(&OTHER);
    refused(&mut world, &changed(&good, |call| call.accounts[4].address = stolen), Error::WrongDestination);
    // The wallet's own, but not the one where it looks.
    world.put([30; 32], TOKEN_PROGRAM, token_account(&MINT, &WALLET, 0));
    refused(&mut world, &changed(&good, |call| call.accounts[4].address = [30; 32]), Error::WrongDestination);
    world.put([31; 32], TOKEN_PROGRAM, token_account(&OTHER, &WALLET, 0));
    refused(&mut world, &changed(&good, |call| call.accounts[4].address = [31; 32]), Error::WrongDestination);
    refused(&mut world, &changed(&good, |call| call.accounts[4].address = [32; 32]), Error::WrongDestination);
    refused(&mut world, &changed(&good, |call| call.data[1] ^= 1), Error::WrongDestination);
    // A wallet that gave its account away is not paid there.
    let (destination, _) = associated(&WALLET, &MINT);
    world.put(destination, TOKEN_PROGRAM, token_account(&MINT, &OTHER, 0));
    refused(&mut world, &good, Error::WrongDestination);
    world.open_wallet(&WALLET);

    refused(&mut world, &changed(&good, |call| call.data[2] ^= 1), Error::WrongProof);
    refused(&mut world, &changed(&good, |call| call.data[10] ^= 1), Error::WrongProof);
    refused(&mut world, &changed(&good, |call| call.data[42] ^= 1), Error::WrongProof);
    refused(&mut world, &changed(&good, |call| call.data.truncate(42)), Error::WrongProof);
    refused(&mut world, &changed(&good, |call| call.data.truncate(41)), Error::MalformedInstruction);
    refused(&mut world, &changed(&good, |call| call.accounts[1].address = VAULT), Error::WrongNetwork);
    refused(&mut world, &changed(&good, |call| call.accounts[2].address = destination), Error::WrongVault);
    let other = world.claim_account(&OTHER, &WALLET);
    refused(&mut world, &changed(&good, |call| call.accounts[3].address = other), Error::WrongClaimAccount);
    let network = world.network.account;
    refused(&mut world, &changed(&good, |call| call.accounts[3].address = network), Error::WrongClaimAccount);
    refused(&mut world, &changed(&good, |call| call.accounts.truncate(4)), Error::MissingAccount);
    for at in 0..5 {
        let mute = changed(&good, |call| call.accounts[at].writable = false);
        // The payer stays writable: it pays the fee.
        assert_eq!(world.clone().call(&mute).is_err(), at != 0, "account {at}");
    }
    for at in [5, 6] {
        let before = world.state();
        let without = changed(&good, |call| call.accounts[at].address = OTHER);
        assert!(matches!(world.call(&without), Err(Failure::Elsewhere(_))));
        assert_eq!(world.state(), before);
    }
    world.call(&good).unwrap();
}

#[test]
fn claims_stop_at_what_was_committed() {
    let mut world = World::new();
    world.deposit(1_000);
    world.open_wallet(&WALLET);
    // An authority that promises more than it states.
    let root = world.leaf(&WORKER, &WALLET, 101);
    world.call(&world.network.post_root(AUTHORITY, 1, 100, &root)).unwrap();
    let claim = world.claim(&WORKER, &WALLET, 101, &[]);
    refused(&mut world, &claim, Error::OverCommitted);
    let root = world.leaf(&WORKER, &WALLET, u64::MAX);
    world.call(&world.network.post_root(AUTHORITY, 2, 100, &root)).unwrap();
    let claim = world.claim(&WORKER, &WALLET, u64::MAX, &[]);
    refused(&mut world, &claim, Error::OverCommitted);
    let root = world.leaf(&WORKER, &WALLET, 0);
    world.call(&world.network.post_root(AUTHORITY, 3, 100, &root)).unwrap();
    let claim = world.claim(&WORKER, &WALLET, 0, &[]);
    refused(&mut world, &claim, Error::NothingToClaim);
}

#[test]
fn networks_do_not_pay_for_each_other() {
    let (mut world, good) = owing();
    let key = [40; 32];
    let network = Network { account: network_account(&key), vault: [41; 32], ..world.network };
    world.put(network.vault, TOKEN_PROGRAM, token_account(&MINT, &network.account, 5_000));
    world.call(&network.initialize(PAYER, key, AUTHORITY, MINT, WITHDRAWAL_DELAY_S_MIN)).unwrap();
    // Even under the same root.
    world.call(&network.post_root(AUTHORITY, 1, 600, &world.state().root)).unwrap();
    let elsewhere = changed(&good, |call| {
        call.accounts[1].address = network.account;
        call.accounts[2].address = network.vault;
    });
    refused(&mut world, &elsewhere, Error::WrongProof);
    let vault = changed(&good, |call| call.accounts[2].address = network.vault);
    refused(&mut world, &vault, Error::WrongVault);
    // An account with a network's bytes that another program made.
    world.put([42; 32], OTHER, world.data(&world.network.account).unwrap());
    refused(&mut world, &changed(&good, |call| call.accounts[1].address = [42; 32]), Error::WrongNetwork);
    world.put([43; 32], OTHER, vec![2; ClaimAccount::LEN]);
    refused(
        &mut world,
        &changed(&good, |call| call.accounts[3].address = [43; 32]),
        Error::WrongClaimAccount,
    );
}

#[test]
fn a_second_bump_makes_no_second_claim() {
    let (mut world, good) = owing();
    world.call(&good).unwrap();
    let canonical = world.claim_account(&WORKER, &WALLET);
    for bump in 0..=255 {
        let address = lull_distributor::address::claim_address(
            &PROGRAM,
            &world.network.account,
            &WORKER,
            &WALLET,
            bump,
        );
        if address != canonical {
            let again = changed(&good, |call| call.accounts[3].address = address);
            refused(&mut world, &again, Error::WrongClaimAccount);
        }
    }
}

#[test]
fn the_authority_changes_hands() {
    let (mut world, _) = owing();
    let network = world.network;
    let rotate = network.rotate_authority(AUTHORITY, OTHER);
    refused(&mut world, &changed(&rotate, |call| call.accounts[0].signs = false), Error::MissingSignature);
    refused(&mut world, &changed(&rotate, |call| call.accounts[1].signs = false), Error::MissingSignature);
    refused(&mut world, &network.rotate_authority(OTHER, AUTHORITY), Error::WrongAuthority);
    refused(&mut world, &changed(&rotate, |call| call.accounts.truncate(2)), Error::MissingAccount);
    world.call(&rotate).unwrap();
    refused(&mut world, &network.post_root(AUTHORITY, 2, 600, &[0; 32]), Error::WrongAuthority);
    world.call(&network.post_root(OTHER, 2, 600, &[0; 32])).unwrap();
}

#[test]
fn a_withdrawal_waits_and_leaves_what_is_owed() {
    let (mut world, claim) = owing();
    let network = world.network;
    let destination = world.open_wallet(&AUTHORITY);
    let announce = |amount| network.announce_withdrawal(AUTHORITY, destination, amount);
    let withdraw = network.withdraw_unclaimed(AUTHORITY, destination);
    let cancel = network.cancel_withdrawal(AUTHORITY);
    refused(&mut world, &withdraw, Error::NothingAnnounced);
    refused(&mut world, &cancel, Error::NothingAnnounced);
    refused(&mut world, &announce(0), Error::NothingToWithdraw);
    refused(&mut world, &announce(401), Error::Uncovered);
    refused(&mut world, &announce(u64::MAX), Error::Overflow);
    for address in [VAULT, MINT, OTHER] {
        let call = changed(&announce(400), |call| call.accounts[3].address = address);
        refused(&mut world, &call, Error::WrongDestination);
    }
    world.put([30; 32], TOKEN_PROGRAM, token_account(&OTHER, &AUTHORITY, 0));
    refused(
        &mut world,
        &changed(&announce(1), |c| c.accounts[3].address = [30; 32]),
        Error::WrongDestination,
    );
    refused(&mut world, &changed(&announce(1), |c| c.accounts[2].address = destination), Error::WrongVault);
    for call in [announce(1), withdraw.clone(), cancel.clone()] {
        refused(&mut world, &changed(&call, |call| call.accounts[0].signs = false), Error::MissingSignature);
        refused(&mut world, &changed(&call, |call| call.accounts[0].address = OTHER), Error::WrongAuthority);
        refused(&mut world, &changed(&call, |call| call.accounts.truncate(1)), Error::MissingAccount);
    }
    let delay = i64::from(WITHDRAWAL_DELAY_S_MIN);
    world.call(&announce(399)).unwrap();
    world.set_now(START_S + delay - 1);
    refused(&mut world, &withdraw, Error::TooEarly);
    world.call(&cancel).unwrap();
    world.call(&announce(400)).unwrap();
    world.set_now(START_S + 2 * delay - 2);
    refused(&mut world, &withdraw, Error::TooEarly);
    world.set_now(START_S + 2 * delay - 1);
    let wallet = world.open_wallet(&WALLET);
    refused(&mut world, &network.withdraw_unclaimed(AUTHORITY, wallet), Error::WrongDestination);
    refused(&mut world, &changed(&withdraw, |c| c.accounts[2].address = wallet), Error::WrongVault);
    world.call(&withdraw).unwrap();
    assert_eq!((world.balance(&destination), world.balance(&VAULT)), (400, 600));
    assert_eq!((world.state().withdrawn, world.state().withdrawal_amount), (400, 0));
    refused(&mut world, &withdraw, Error::NothingAnnounced);
    world.call(&claim).unwrap();
    assert_eq!((world.balance(&wallet), world.balance(&VAULT)), (600, 0));
}

#[test]
fn every_error_says_what_happened() {
    for error in Error::ALL {
        assert_eq!(Error::from_code(error.code()), Some(*error));
        assert!(error.sentence().ends_with('.'));
    }
    let claim = Claim { destination_bump: 0, lifetime: 0, worker: &[0; 32], proof: &[] };
    assert_eq!(Instruction::Claim(claim).write().len(), 42);
}

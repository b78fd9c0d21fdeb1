//! The committed program on Solana's own validator: roots, claims, what they cost there, and what is refused.

use anyhow::{Context, Result};
use lull_distributor::{Call, Claim, Error, Network, WITHDRAWAL_DELAY_S_MIN};
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::{Address, Chain, Outcome};
use lull_settlement::compose::{Budget, Key, RentedAccount, claims, initialize, post_root, sign};
use lull_settlement::epoch::{Leaf, Leaves, Proof, Tree};
use lull_tests::Validator;
use lull_types::{BaseUnits, SecretKey};
use solana_instruction::{AccountMeta, Instruction};

use crate::ground::{Cost, Ground, done, forced, leaf};

/// As many that a proof has ten siblings.
const LEAVES: u32 = 1_000;

const AMPLE: Budget = Budget { price: 1_000, lamports_max: 10_000_000 };

struct Stage {
    ground: Ground,
    validator: Validator,
    rpc: Rpc,
}

impl Stage {
    async fn begin() -> Result<Self> {
        let ground = Ground::of(SecretKey::from_bytes(&[45; 32]));
        let validator = ground.validator().await?;
        let rpc = Rpc::new(&[validator.url()])?;
        Ok(Self { ground, validator, rpc })
    }

    async fn done(&self, instructions: &[Instruction], others: &[&Key]) -> Result<Cost> {
        done(&self.validator, &self.rpc, instructions, &self.ground.treasury, others).await
    }

    async fn post(&self, epoch: u64, leaves: &Leaves, top_up: u64) -> Result<(Tree, Cost)> {
        let Ground { place, treasury, purse, .. } = &self.ground;
        let tree = Tree::build(&place.anchor, leaves);
        let (total, top_up) = (leaves.total().0, Some((*purse, top_up)));
        let root = post_root(place, treasury.address(), epoch, total, &tree.root(), top_up, AMPLE)?;
        Ok((tree, self.done(&root, &[]).await?))
    }

    async fn claim(&self, leaf: Leaf, proof: Proof) -> Result<Cost> {
        let rent = self.rents(&leaf).await?;
        let made = claims(&self.ground.place, self.ground.treasury.address(), &[(leaf, proof, rent)], AMPLE)?;
        self.done(&made, &[]).await
    }

    /// What is missing of the accounts of a claim.
    async fn rents(&self, leaf: &Leaf) -> Result<[RentedAccount; 2]> {
        let place = &self.ground.place;
        let claims = place.anchor.claim_account(leaf.worker, leaf.wallet).context("no address")?;
        let purse = place.token_account(leaf.wallet).context("no address")?.0;
        let mut rents = [RentedAccount { missing: true, lamports: 0 }; 2];
        for (rent, (address, bytes)) in
            rents.iter_mut().zip([(Address::new_from_array(claims), 16), (purse, 165)])
        {
            rent.missing = self.rpc.account(&address).await?.is_none();
            rent.lamports = self.rpc.rent_exempt(bytes).await?;
        }
        Ok(rents)
    }

    /// Has a call carried out without its being tried first; how the program refuses it.
    async fn refused(&self, call: &Call, payer: &Key, others: &[&Key]) -> Result<String> {
        let recent = self.rpc.recent().await?;
        let signed = sign(&[instruction(call)], recent.blockhash, payer, others)?;
        match forced(&self.validator, &self.rpc, &signed).await? {
            Outcome::Failed(why) => Ok(why),
            Outcome::Done => anyhow::bail!("it was done"),
        }
    }
}

fn instruction(call: &Call) -> Instruction {
    let meta = |account: &lull_distributor::Account| AccountMeta {
        pubkey: Address::new_from_array(account.address),
        is_signer: account.signs,
        is_writable: account.writable,
    };
    let accounts = call.accounts.iter().map(meta).collect();
    Instruction { program_id: Address::new_from_array(call.program), accounts, data: call.data.clone() }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Solana's validator: cargo xtask validator"]
async fn the_committed_program_pays_lifetimes_and_refuses_the_rest() -> Result<()> {
    let stage = Stage::begin().await?;
    let Ground { place, treasury, network, stranger, .. } = &stage.ground;
    let mut table = Vec::new();
    let rent = stage.rpc.rent_exempt(248).await? + stage.rpc.rent_exempt(165).await?;
    let (payer, delay) = (treasury.address(), WITHDRAWAL_DELAY_S_MIN);
    let made = initialize(place, payer, payer, delay, AMPLE, rent)?;
    table.push(("account made, vault opened", stage.done(&made, &[&Key::from(network)]).await?));

    let first: Vec<Leaf> = (0..LEAVES).map(|n| leaf(n, 1_000 + u64::from(n))).collect();
    let first = Leaves::new(first)?;
    let (tree, cost) = stage.post(1, &first, first.total().0).await?;
    table.push(("root posted, vault filled", cost));
    let (one, two) = (first.as_slice()[3], first.as_slice()[500]);
    let proof = |tree: &Tree, position: usize| tree.proof(position).unwrap();
    table.push(("claim, both accounts opened", stage.claim(one, proof(&tree, 3)).await?));
    stage.claim(two, proof(&tree, 500)).await?;

    // Everyone has earned as much again.
    let twice = |leaf: &Leaf| Leaf { lifetime: BaseUnits(leaf.lifetime.0 * 2), ..*leaf };
    let second = Leaves::new(first.as_slice().iter().map(twice).collect())?;
    let (tree, cost) = stage.post(2, &second, second.total().0 - first.total().0).await?;
    table.push(("root posted again", cost));
    table.push(("claim, later", stage.claim(second.as_slice()[3], proof(&tree, 3)).await?));

    for (what, Cost { units, bytes, lamports }) in &table {
        println!("{what:<30}{units:>8} compute units{bytes:>7} bytes{lamports:>10} lamports");
    }
    let holds = async |leaf: &Leaf| {
        anyhow::Ok((
            stage.ground.claimed(&stage.rpc, leaf).await?,
            stage.ground.held(&stage.rpc, leaf).await?,
        ))
    };
    assert_eq!(holds(&one).await?, (2 * one.lifetime.0, 2 * one.lifetime.0));
    assert_eq!(holds(&two).await?, (two.lifetime.0, two.lifetime.0));

    refusals(&stage, &second, &tree).await?;

    // Whoever pays the fee, the tokens go to the wallet.
    let third = second.as_slice()[501];
    let rent = stage.rents(&third).await?;
    let made = claims(place, stranger.address(), &[(third, tree.proof(501).unwrap(), rent)], AMPLE)?;
    done(&stage.validator, &stage.rpc, &made, stranger, &[]).await?;
    assert_eq!(holds(&third).await?, (third.lifetime.0, third.lifetime.0));
    let account = stage.ground.account(&stage.rpc).await?;
    let paid = second.as_slice()[3].lifetime.0 + two.lifetime.0 + third.lifetime.0;
    assert_eq!((account.claimed, account.committed), (paid, second.total().0));
    assert_eq!(stage.ground.tokens(&stage.rpc, &place.vault).await?, second.total().0 - paid);
    Ok(())
}

/// Sent by whoever does not ask first whether it would be done, at the second epoch, of which the fourth leaf is paid, and of leaf 500
/// what the first held, so that its wallet has an account.
async fn refusals(stage: &Stage, leaves: &Leaves, tree: &Tree) -> Result<()> {
    let Ground { place, treasury, network, stranger, purse } = &stage.ground;
    let calls = Network {
        program: *place.anchor.program(),
        account: *place.anchor.account(),
        vault: place.vault.to_bytes(),
    };
    let (thief, payer) = (stranger.address().to_bytes(), treasury.address().to_bytes());
    let claim = |position: usize, lifetime: u64, destination: Option<Address>, tree: &Tree| {
        let leaf = leaves.as_slice()[position];
        let (own, destination_bump) = place.token_account(leaf.wallet).unwrap();
        let proof = tree.proof(position).unwrap();
        let claims = place.anchor.claim_account(leaf.worker, leaf.wallet).unwrap();
        let claim = Claim { destination_bump, lifetime, worker: &leaf.worker.0, proof: &proof.0 };
        calls.claim(thief, claims, destination.unwrap_or(own).to_bytes(), claim)
    };
    let lifetime = |position: usize| leaves.as_slice()[position].lifetime.0;
    let halves =
        leaves.as_slice().iter().map(|leaf| Leaf { lifetime: BaseUnits(leaf.lifetime.0 / 2), ..*leaf });
    let older = Tree::build(&place.anchor, &Leaves::new(halves.collect())?);
    let (total, root) = (leaves.total().0, tree.root());
    let key = Key::from(network);
    let by_stranger: [(&str, Error, Call); 7] = [
        ("a claim again", Error::NothingToClaim, claim(3, lifetime(3), None, tree)),
        ("more than was earned", Error::WrongProof, claim(500, lifetime(500) + 1, None, tree)),
        ("an older root", Error::WrongProof, claim(500, lifetime(500) / 2, None, &older)),
        ("somebody else's leaf", Error::WrongProof, claim(500, lifetime(501), None, tree)),
        ("another wallet", Error::WrongDestination, claim(500, lifetime(500), Some(*purse), tree)),
        ("a stranger's root", Error::WrongAuthority, calls.post_root(thief, 3, total, &root)),
        ("a stranger's withdrawal", Error::WrongAuthority, calls.withdraw_unclaimed(thief, purse.to_bytes())),
    ];
    let by_authority: [(&str, Error, Call); 4] = [
        ("the same epoch", Error::StaleEpoch, calls.post_root(payer, 2, total, &root)),
        ("a smaller total", Error::CommittedFell, calls.post_root(payer, 3, total - 1, &root)),
        ("more than is there", Error::Uncovered, calls.post_root(payer, 3, total + 1, &root)),
        (
            "what was not announced",
            Error::NothingAnnounced,
            calls.withdraw_unclaimed(payer, purse.to_bytes()),
        ),
    ];
    let mint = place.mint.to_bytes();
    let again = calls.initialize(thief, network.network_id().0, payer, mint, WITHDRAWAL_DELAY_S_MIN);
    let stolen = ("an account again", Error::AlreadyInitialized, again);
    let mine = by_stranger.into_iter().map(|case| (case, stranger, vec![]));
    let theirs = by_authority.into_iter().map(|case| (case, treasury, vec![]));
    let both = std::iter::once((stolen, stranger, vec![&key, treasury]));
    let cases = mine.chain(theirs).chain(both).map(|((what, error, call), payer, others)| async move {
        let why = stage.refused(&call, payer, &others).await.with_context(|| what.to_owned())?;
        let code = error as u32;
        anyhow::ensure!(why.contains(&format!("\"Custom\":{code}}}")), "{what}: {why}, not {code}");
        Ok(())
    });
    // Side by side, so that they are final together.
    futures_util::future::try_join_all(cases).await.map(|_| ())
}

//! A network that is killed again and again while it pays, behind an endpoint that goes away, with contributors who claim
//! by themselves: everyone is paid exactly what the last root lists.
//!
//! `VALIDATOR_SEED` and `VALIDATOR_KILLS` ask for others than the tests take.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::{Address, Chain, Signature};
use lull_settlement::compose::{Budget, RentedAccount, claims, sign};
use lull_settlement::epoch::{Leaf, Leaves, Tree};
use lull_settlement::publication;
use lull_tests::{Link, Process, Weather, eventually};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::books::{Books, Contributor, Reading};
use crate::ground::{Ground, TREASURY_TOKENS};

/// More than are sent at once.
const CONTRIBUTORS: u8 = 48;
/// As many as fit into half of the stage's three minutes.
const KILLS: u32 = 40;
/// A start takes a second, and a payout some four: kills meet both.
const LIFE_MS_MAX: u64 = 3_500;
/// The length of an epoch, in minutes: nine seconds, in which a root is on the chain and some payouts are sent.
const EPOCH_MINUTES: &str = "0.15";
/// What a payout costs at one USDC for a SOL: 10,000 lamports, and rents at first.
const FEE_LATER: u64 = 10;

struct Stage {
    ground: Ground,
    /// To the validator, past the link.
    rpc: Rpc,
    link: Link,
    folder: TempDir,
    dice: ChaCha8Rng,
}

impl Stage {
    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Result<Process> {
        let Ground { place, .. } = &self.ground;
        let treasury = self.ground.treasury_file(self.folder.path())?;
        Process::start("lull-network", self.folder.path().join("network.log"), |command| {
            command
                .args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--sol-price", "1"])
                .args(["--payout-threshold", "100", "--epoch-minutes", EPOCH_MINUTES, "--audit-minutes", "0"])
                .args(["--solana", &format!("http://{}", self.link.address())])
                .args(["--program", &Address::new_from_array(*place.anchor.program()).to_string()])
                .args(["--mint", &place.mint.to_string(), "--treasury"])
                .arg(treasury)
                .arg("--data-dir")
                .arg(self.data())
                // Nothing is computed here.
                .env("LULL_RUNTIME_DIR", "/nowhere");
        })
    }

    /// One life of the network, in some weather; perhaps the weather changes, and perhaps somebody claims.
    async fn live_and_die(&mut self) -> Result<u32> {
        let weather = |dice: &mut ChaCha8Rng| match dice.random_range(0..10) {
            0 => Weather::Cut,
            1 | 2 => Weather::Deaf,
            _ => Weather::Clear,
        };
        self.link.set(weather(&mut self.dice));
        let process = self.start()?;
        let life = self.dice.random_range(0..LIFE_MS_MAX);
        let middle = self.dice.random_range(0..=life);
        tokio::time::sleep(Duration::from_millis(middle)).await;
        self.link.set(weather(&mut self.dice));
        let claimed = u32::from(self.dice.random_bool(0.3) && self.claim().await?);
        tokio::time::sleep(Duration::from_millis(life - middle)).await;
        process.kill().await?;
        Ok(claimed)
    }

    /// Some contributor claims by themselves, from the published file, and somebody else pays the fee. True when there was
    /// something to claim.
    async fn claim(&mut self) -> Result<bool> {
        let Some((leaves, tree)) = self.posted().await? else { return Ok(false) };
        let Ground { place, stranger, .. } = &self.ground;
        let leaf = *leaves.as_slice().choose(&mut self.dice).context("an epoch lists somebody")?;
        let position = leaves.position(leaf.worker, leaf.wallet).context("it is there")?;
        let proof = tree.proof(position).context("it has a proof")?;
        let token_account = place.token_account(leaf.wallet).context("no address")?.0;
        let mut rented = [RentedAccount { missing: true, lamports: 2_000_000 }; 2];
        rented[1] = RentedAccount {
            missing: self.rpc.account(&token_account).await?.is_none(),
            lamports: self.rpc.rent_exempt(165).await?,
        };
        let budget = Budget { price: 1, lamports_max: 10_000_000 };
        let made = claims(place, stranger.address(), &[(leaf, proof, rented)], budget)?;
        let signed = sign(&made, self.rpc.recent().await?.blockhash, stranger, &[])?;
        // Refused when the network was faster.
        Ok(self.rpc.send(&signed.bytes).await.is_ok())
    }

    /// What the root on the chain lists, from its published file.
    async fn posted(&self) -> Result<Option<(Leaves, Tree)>> {
        let Ok(account) = self.ground.account(&self.rpc).await else { return Ok(None) };
        if account.epoch == 0 {
            return Ok(None);
        }
        let leaves = published(&self.data(), account.epoch)?;
        let tree = Tree::build(&self.ground.place.anchor, &leaves);
        ensure!(tree.root() == account.root, "epoch {} is published with another root", account.epoch);
        Ok(Some((leaves, tree)))
    }

    /// Every transaction on the chain that the treasury paid for, but for the making of the account, was stored before.
    async fn signed_only_what_was_stored(&self, stored: &[Signature]) -> Result<usize> {
        let mut unknown = 0;
        let mentions = self.rpc.mentions(&self.ground.place.account(), None).await?;
        for signature in &mentions {
            let transaction = self.rpc.transaction(signature).await?.context("it was mentioned")?;
            if transaction.accounts.first() == Some(&self.ground.treasury.address())
                && !stored.contains(signature)
            {
                let key = Address::new_from_array(self.ground.network.network_id().0);
                ensure!(transaction.accounts.contains(&key), "{signature} was sent and never stored");
                unknown += 1;
            }
        }
        ensure!(unknown >= 1, "the network's account was made by a transaction");
        Ok(mentions.len())
    }
}

fn published(data: &Path, number: u64) -> Result<Leaves> {
    let file = std::fs::File::open(data.join("epochs").join(format!("{number}.epoch")))?;
    let (header, leaves) = publication::read(std::io::BufReader::new(file))?;
    ensure!(header.epoch == number, "the file of epoch {number} is of epoch {}", header.epoch);
    Ok(leaves)
}

fn wanted<T: std::str::FromStr>(variable: &str, usual: T) -> T {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Solana's validator: cargo xtask validator"]
async fn a_network_killed_while_it_pays_pays_everyone_once() -> Result<()> {
    let (seed, kills) = (wanted("VALIDATOR_SEED", 1u64), wanted("VALIDATOR_KILLS", KILLS));
    println!("seed {seed}");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let contributors: Vec<Contributor> = (0..CONTRIBUTORS).map(Contributor::new).collect();
    let mut earned = vec![0; contributors.len()];
    let mut earn = |dice: &mut ChaCha8Rng, round: u32| {
        let mut books = Books::open(&data, dice)?;
        let price = dice.random_range(10_000..50_000);
        let mut chosen = Vec::new();
        if round == 0 {
            books.enrol(&contributors)?;
        }
        for (contributor, earned) in contributors.iter().zip(&mut earned) {
            if round == 0 || dice.random_bool(0.3) {
                chosen.push(contributor.clone());
                *earned += price;
            }
        }
        books.earn(&chosen, &format!("round {round}"), price)
    };
    earn(&mut dice, 0)?;

    let network = lull_network::data_dir::DataDir::take(&data)?.key()?;
    let ground = Ground::of(network);
    let validator = ground.validator().await?;
    let link = Link::to(validator.url().trim_start_matches("http://").parse()?).await?;
    let rpc = Rpc::new(&[validator.url()])?;
    let mut stage = Stage { ground, rpc, link, folder, dice };
    let mut claims = 0;
    for kill in 1..=kills {
        claims += stage.live_and_die().await.with_context(|| format!("seed {seed}, life {kill}"))?;
        if kill % 5 == 0 {
            earn(&mut stage.dice, kill)?;
        }
    }

    stage.link.set(Weather::Clear);
    let process = stage.start()?;
    let reading = Reading::open(&data)?;
    let settled = eventually("everyone to be paid", async || {
        for contributor in &contributors {
            let [held, payable, _] = reading.earned(contributor.worker)?;
            // A fee that was kept back for a payout that its contributor claimed meanwhile is still theirs.
            if held > 0 || payable > FEE_LATER {
                return Ok(None);
            }
        }
        let (leaves, settled) = reading.leaves()?;
        Ok(Some(leaves).filter(|_| settled))
    });
    let leaves = settled.await.with_context(|| format!("seed {seed}; {}", process.log_tail()))?;
    process.kill().await?;

    let (listed, _) = stage.posted().await?.context("a root is on the chain")?;
    let listed: Vec<Leaf> = listed.as_slice().to_vec();
    ensure!(listed.len() == leaves.len() && leaves.iter().all(|leaf| listed.contains(leaf)), "{listed:?}");
    stage.ground.agrees(&stage.rpc, &listed).await.with_context(|| format!("seed {seed}"))?;
    reading.audit()?;
    let (mut own, mut fees) = (0, 0);
    for (contributor, earned) in contributors.iter().zip(&earned) {
        let [held, payable, paid] = reading.earned(contributor.worker)?;
        let [sent, claimed, fee] = reading.payouts(contributor.worker)?;
        ensure!(
            held + payable + paid + fee == *earned,
            "{contributor:?}: {earned} earned, {paid} paid, {fee} fees"
        );
        ensure!(sent + claimed == paid, "{contributor:?}: {sent} sent, {claimed} claimed, {paid} paid");
        own += claimed;
        fees += fee;
    }
    ensure!(reading.treasury()? == i64::try_from(fees)?, "{fees} of fees");
    let (signatures, ends) = reading.batches()?;
    let on_chain = stage.signed_only_what_was_stored(&signatures).await?;
    let total: u64 = listed.iter().map(|leaf| leaf.lifetime.0).sum();
    ensure!(total <= TREASURY_TOKENS, "{total}");
    println!(
        "seed {seed}: {kills} kills, {} payees, {total} base units paid, {own} of them by {claims} contributors' own claims, \
         {on_chain} transactions on the chain, batches {ends:?}, newest epoch {:?}",
        listed.len(),
        reading.anchored()?
    );
    Ok(())
}

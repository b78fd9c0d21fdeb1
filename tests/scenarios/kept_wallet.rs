//! A wallet that the worker makes, keeps and proves, with the real network; the worker is killed at each step.

use anyhow::{Context, Result, ensure};
use lull_tests::{Machine, Network};
use lull_types::{WalletAddress, WalletStatement};
use lull_worker_api::{Command, Reply, SecretText, Snapshot};

fn joined(words: &[SecretText]) -> String {
    words.iter().map(SecretText::reveal).collect::<Vec<_>>().join(" ")
}

fn is_proven(snapshot: &Snapshot) -> bool {
    snapshot.wallet_standing.as_ref().is_some_and(|standing| {
        standing.proven && standing.wallet.is_some() && standing.wallet == snapshot.wallet
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_made_confirmed_and_proven_through_crashes() -> Result<()> {
    let network = Network::start().await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;

    let Reply::WalletWords { address, words } = machine.order(Command::MakeWallet).await? else {
        anyhow::bail!("no words")
    };
    assert_eq!(words.len(), 12);
    machine.crash().await?;
    machine.start().await?;
    let made = machine.until("what was made", |snapshot| snapshot.kept_wallet.is_some()).await?;
    assert_eq!((made.wallet, made.kept_wallet.as_ref().map(|kept| kept.confirmed)), (None, Some(false)));
    let (succeeded, printed) = machine.command_line(&["wallet", "set", &address.to_string()]).await?;
    ensure!(!succeeded && printed.contains("wallet_unconfirmed"), "{printed}");

    // The words that were shown before the crash are those of the wallet after it. A crash right after they were
    // confirmed leaves the proof to the next process.
    let typed = SecretText::from(joined(&words).to_uppercase());
    machine.order(Command::ConfirmWallet { words: typed }).await?;
    machine.crash().await?;
    machine.start().await?;
    let proven = machine.until("the proof", is_proven).await?;
    assert_eq!(proven.wallet, Some(address));
    let proof = proof_of(&network, address)?;

    // The next session finds it proven and proves nothing again.
    machine.crash().await?;
    machine.start().await?;
    machine.until("the standing", is_proven).await?;
    assert_eq!(proof_of(&network, address)?, proof);
    let refused = machine.command_line(&["wallet", "make"]).await?.1;
    assert!(refused.contains("wallet_needs_terminal"), "{refused}");
    hides_the_words(&machine, &words).await?;
    moves(&mut machine, address.to_string(), &joined(&words)).await
}

/// The one statement that the network holds as a proof of the wallet. The worker itself made it.
fn proof_of(network: &Network, wallet: WalletAddress) -> Result<WalletStatement> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(network.data().join("network.sqlite"), flags)?;
    let query = "SELECT statement FROM wallet_proofs WHERE wallet = ?1";
    let text: String = store.query_row(query, [wallet.to_string()], |row| row.get(0))?;
    let statement: WalletStatement = serde_json::from_str(&text)?;
    assert_eq!(statement.domain, lull_checks::wallet::KEPT_BY_WORKER);
    Ok(statement)
}

/// Neither the journal nor the logs have them; the key is in the one file that this test's machine keeps it in.
async fn hides_the_words(machine: &Machine, words: &[SecretText]) -> Result<()> {
    machine.order(Command::ExportLogs).await?;
    let phrase = joined(&words[..3]);
    let keys = machine.data().join("wallet-keys");
    let kept = std::fs::read_dir(&keys)?.next().context("a key is kept")??.path();
    // A byte for the version, then what the words stand for.
    let secret = std::fs::read(&kept)?.split_off(1);
    assert_eq!(secret.len(), 16);
    let mut folders = vec![machine.data().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(content) = std::fs::read(&path) {
                files += 1;
                let has = |wanted: &[u8]| content.windows(wanted.len()).any(|part| part == wanted);
                assert!(!has(phrase.as_bytes()), "{} has the words", path.display());
                assert_eq!(has(&secret), path == kept, "{} has the secret", path.display());
            }
        }
    }
    assert!(files > 3, "journal, logs and key were looked at");
    Ok(())
}

/// Exported, removed, and taken over again from the command line.
async fn moves(machine: &mut Machine, address: String, words: &str) -> Result<()> {
    let (_, shown) = machine.command_line(&["wallet", "show"]).await?;
    assert!(shown.contains(&format!("{address} is kept")) && shown.contains("signed for"), "{shown}");
    let (succeeded, printed) = machine.command_line(&["wallet", "export"]).await?;
    ensure!(!succeeded && !printed.contains(words), "words are not for a pipe that nobody asked for");
    let (succeeded, printed) = machine.command_line(&["wallet", "export", "--not-to-a-terminal"]).await?;
    ensure!(succeeded && printed.trim() == words, "the words come out as they were shown");

    let other = "abandon ".repeat(11) + "about";
    let (succeeded, printed) = machine.command_line_told(&["wallet", "restore"], &other).await?;
    ensure!(!succeeded && printed.contains("wallet_kept_already"), "{printed}");
    let (succeeded, printed) = machine.command_line_told(&["wallet", "forget"], &other).await?;
    ensure!(!succeeded && printed.contains("wallet_words_differ"), "{printed}");
    let (succeeded, printed) = machine.command_line_told(&["wallet", "forget"], words).await?;
    ensure!(succeeded, "{printed}");
    let kept = std::fs::read_dir(machine.data().join("wallet-keys"))?.count();
    assert_eq!(kept, 0, "no key is left");
    let gone = machine.until("nothing kept", |snapshot| snapshot.kept_wallet.is_none()).await?;
    let wallet = gone.wallet.context("earnings still go there")?;
    assert_eq!(wallet.to_string(), address);

    let (succeeded, printed) = machine.command_line_told(&["wallet", "restore"], words).await?;
    ensure!(succeeded && printed.contains("is in a file"), "{printed}");
    machine.until("kept again", |s| s.kept_wallet.as_ref().is_some_and(|kept| kept.confirmed)).await?;
    Ok(())
}

//! A wallet that the worker makes and keeps. Words are shown to a terminal and read from standard input, and are never
//! an argument: those stand in the shell's history and are seen by every program. Nothing of them stays in a terminal.

use std::io::{self, BufRead, IsTerminal, Read, StdinLock};
use std::process::ExitCode;

use lull_types::Fault;
use lull_worker_api::transport::Client;
use lull_worker_api::{Command, Reply, SecretText};
use zeroize::Zeroizing;

use super::private_screen::privately;
use super::remote::{command, connect, snapshot, unexpected};
use super::{say, text};

/// 24 words with much space between them; more is no wallet's.
const WORDS_BYTES_MAX: u64 = 4096;

/// Lines of words: four in each of them stay together on a narrow terminal and on paper.
const WORDS_IN_A_LINE: usize = 4;

/// Wrong tries before the command ends. The wallet stays as it is, so that nothing is lost.
const TRIES_MAX: u32 = 5;

pub(super) async fn make() -> Result<ExitCode, Fault> {
    if !is_dialogue() {
        return Err(Fault::new(
            "wallet_needs_terminal",
            "a wallet's words are shown once, to whoever can write them down: run this in a terminal",
        ));
    }
    let client = connect().await?;
    let Reply::WalletWords { address, words } = command(&client, Command::MakeWallet).await? else {
        return Err(unexpected());
    };
    say(format!("This is your new wallet: {address}"));
    let confirmed = privately(async |screen| {
        say("These are the words of your new wallet:\n");
        lines(&words).iter().for_each(|line| say(&**line));
        say("\nWrite them down on paper, in this order. Whoever has them has what the wallet");
        say("holds, and without them it is lost with this machine.\n");
        say("Press Enter when you have written them down; they are then taken off the screen.");
        line_of_terminal().await?;
        drop(words);
        screen.wipe();
        confirm_typed(&client).await
    });
    if let Err(fault) = confirmed.await {
        say("Nothing is paid to this wallet. “lull-worker wallet confirm” asks for its words again;");
        say("if you do not have them, “lull-worker wallet make” makes another wallet.");
        return Err(fault);
    }
    in_use(&client).await
}

/// Asks for the words until they are those of the wallet that was made.
async fn confirm_typed(client: &Client) -> Result<(), Fault> {
    let mut tries = 0;
    loop {
        say("Now type the words, separated by spaces:");
        let words = line_of_terminal().await?;
        match command(client, Command::ConfirmWallet { words }).await {
            Err(fault) if fault.code.starts_with("wallet_words_") && tries + 1 < TRIES_MAX => {
                say(format!("\n{}", text::alone(&fault)));
                tries += 1;
            }
            answer => return answer.map(drop),
        }
    }
}

pub(super) async fn confirm() -> Result<ExitCode, Fault> {
    let client = connect().await?;
    let words = words_of_input("Type the words of the wallet that was made, separated by spaces:").await?;
    command(&client, Command::ConfirmWallet { words }).await?;
    in_use(&client).await
}

pub(super) async fn restore() -> Result<ExitCode, Fault> {
    let client = connect().await?;
    let words = words_of_input("Type the words of your wallet, separated by spaces:").await?;
    command(&client, Command::RestoreWallet { words }).await?;
    in_use(&client).await
}

pub(super) async fn export(not_to_a_terminal: bool) -> Result<ExitCode, Fault> {
    if !not_to_a_terminal && !is_dialogue() {
        return Err(Fault::new(
            "wallet_needs_terminal",
            "whoever has a wallet's words has what it holds, so they are shown to a terminal only; add \
             --not-to-a-terminal to have them elsewhere",
        ));
    }
    let client = connect().await?;
    let Reply::WalletWords { address, words } = command(&client, Command::ExportWallet).await? else {
        return Err(unexpected());
    };
    if not_to_a_terminal {
        let plain = Zeroizing::new(words.iter().map(SecretText::reveal).collect::<Vec<_>>().join(" "));
        say(&*plain);
        return Ok(ExitCode::SUCCESS);
    }
    privately(async |_| {
        say(format!("These are the words of the wallet {address}:\n"));
        lines(&words).iter().for_each(|line| say(&**line));
        say("\nShow them to nobody: whoever has them has what the wallet holds.\n");
        say("Press Enter when you have them; they are then taken off the screen.");
        line_of_terminal().await
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn forget(i_have_the_words: bool) -> Result<ExitCode, Fault> {
    let client = connect().await?;
    let kept = snapshot(&client).await?.kept_wallet;
    // Nobody was ever paid to one that was not confirmed.
    let ask = kept.as_ref().is_some_and(|kept| kept.confirmed) && !i_have_the_words;
    let words = match ask {
        true => Some(words_of_input("Type the words of the wallet, to show that you have them:").await?),
        false => None,
    };
    command(&client, Command::ForgetWallet { words }).await?;
    say("Its key is no longer on this machine. Where you are paid has not changed.");
    Ok(ExitCode::SUCCESS)
}

/// Says what became of it, and where the key is if that is a file.
async fn in_use(client: &Client) -> Result<ExitCode, Fault> {
    let snapshot = snapshot(client).await?;
    let wallet = snapshot.kept_wallet.map(|kept| kept.address.to_string()).unwrap_or_default();
    say(format!("You want to be paid to {wallet}. The worker proves it to the network by itself;"));
    say("“lull-worker wallet show” tells from when on it counts.");
    if let Some(notice) = snapshot.notices.iter().rev().find(|notice| notice.code == "wallet_key_in_file") {
        say(&notice.sentence);
    }
    Ok(ExitCode::SUCCESS)
}

/// Numbered words in a few lines.
fn lines(words: &[SecretText]) -> Vec<Zeroizing<String>> {
    let numbered = |(at, word): (usize, &SecretText)| format!("{:>4}. {:<9}", at + 1, word.reveal());
    let cells: Vec<Zeroizing<String>> = words.iter().enumerate().map(numbered).map(Zeroizing::new).collect();
    cells
        .chunks(WORDS_IN_A_LINE)
        .map(|line| Zeroizing::new(line.iter().map(|cell| cell.as_str()).collect::<String>()))
        .collect()
}

/// Whether one terminal shows what is said and gives what is typed.
fn is_dialogue() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Words from a terminal's next line, or all of what another program sends.
async fn words_of_input(ask: &str) -> Result<SecretText, Fault> {
    let asked = async || {
        say(ask);
        line_of_terminal().await
    };
    if is_dialogue() {
        return privately(async |_| asked().await).await;
    }
    if io::stdin().is_terminal() {
        return asked().await;
    }
    read(|input| {
        let mut text = String::new();
        input.take(WORDS_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    })
    .await
}

async fn line_of_terminal() -> Result<SecretText, Fault> {
    let line = read(|input| {
        let mut text = String::new();
        let read = input.take(WORDS_BYTES_MAX).read_line(&mut text)?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(text) }
    });
    line.await
}

/// Reads on a thread that may wait for a person.
async fn read(
    work: impl FnOnce(StdinLock<'static>) -> io::Result<String> + Send + 'static,
) -> Result<SecretText, Fault> {
    let read = tokio::task::spawn_blocking(move || work(io::stdin().lock())).await;
    let text = read.map_err(|error| Fault::new("internal", error.to_string()))?;
    text.map(SecretText::from).map_err(|error| {
        Fault::new("input_unreadable", format!("no words could be read from standard input: {error}"))
    })
}

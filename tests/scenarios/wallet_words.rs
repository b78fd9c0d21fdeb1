//! A wallet that is made in a terminal: what the person before it sees, types, and finds by scrolling back.

use anyhow::{Context, Result, ensure};
use lull_tests::{Machine, Terminal};

/// The terminal that most programs begin with.
const USUAL: (u16, u16) = (24, 80);
/// A corner of a screen, in which a line of words just fits and our longer lines do not.
const SMALL: (u16, u16) = (12, 62);

/// The words that the screen shows, by their numbers.
fn shown_words(terminal: &Terminal) -> Result<Vec<String>> {
    let seen = terminal.seen();
    let mut parts = seen.split_whitespace();
    let mut words = Vec::new();
    while let Some(part) = parts.next() {
        if part == format!("{}.", words.len() + 1) {
            words.push(parts.next().context("a number without its word")?.to_owned());
        }
    }
    ensure!(words.len() == 12, "twelve words are shown:\n{seen}");
    Ok(words)
}

/// Whether two of the words stand beside each other anywhere in the terminal, as they were shown or as they were typed.
/// One alone is an English word, which may be there for another reason.
fn has_words(terminal: &mut Terminal, words: &[String]) -> bool {
    let everything = terminal.everything();
    let parts: Vec<&str> = everything.split_whitespace().collect();
    let plain: Vec<&str> = parts.iter().copied().filter(|part| !part.ends_with('.')).collect();
    plain.windows(2).any(|pair| words.windows(2).any(|two| pair == two))
        || parts
            .windows(2)
            .any(|pair| words.iter().enumerate().any(|(at, word)| pair == [&format!("{}.", at + 1), word]))
}

async fn make(machine: &Machine, (rows, columns): (u16, u16)) -> Result<(Terminal, Vec<String>)> {
    let mut terminal = machine.terminal(&["wallet", "make"], rows, columns)?;
    terminal.until("Press Enter").await?;
    let words = shown_words(&terminal)?;
    Ok((terminal, words))
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_shown_once_and_asked_for() -> Result<()> {
    let mut machine = Machine::new()?;
    machine.start().await?;
    let (mut terminal, words) = make(&machine, USUAL).await?;
    assert!(has_words(&mut terminal, &words), "they are seen now");
    terminal.type_line("").await?;
    terminal.until("Now type").await?;
    assert!(!has_words(&mut terminal, &words), "and no longer:\n{}", terminal.everything());

    let mut other = words.clone();
    other[2] = "nonsense-word".to_owned();
    terminal.type_line(&other.join(" ")).await?;
    terminal.until("Word number 3 is not on the list").await?;
    terminal.type_line(&words[..11].join(" ")).await?;
    terminal.until("These are 11 words").await?;
    terminal.type_line(&format!("{}about", "abandon ".repeat(11))).await?;
    terminal.until("the words of another wallet").await?;
    let made = machine.until("what was made", |snapshot| snapshot.kept_wallet.is_some()).await?;
    assert_eq!((made.wallet, made.kept_wallet.as_ref().map(|kept| kept.confirmed)), (None, Some(false)));

    // A person may type in capitals, and with too much space.
    terminal.type_line(&words.join("  ").to_uppercase()).await?;
    ensure!(terminal.ended().await?.success(), "{}", terminal.everything());
    let address = made.kept_wallet.as_ref().context("it was made")?.address;
    let seen = terminal.everything();
    assert!(seen.contains(&format!("You want to be paid to {address}")), "{seen}");
    let typed: Vec<_> = words.iter().map(|word| word.to_uppercase()).collect();
    assert!(!has_words(&mut terminal, &words) && !has_words(&mut terminal, &typed), "{seen}");
    machine.until("the wallet in use", |snapshot| snapshot.wallet == Some(address)).await?;

    let mut terminal = machine.terminal(&["wallet", "export"], USUAL.0, USUAL.1)?;
    terminal.until("Press Enter").await?;
    assert_eq!(shown_words(&terminal)?, words);
    terminal.type_line("").await?;
    ensure!(terminal.ended().await?.success(), "{}", terminal.everything());
    assert!(!has_words(&mut terminal, &words), "{}", terminal.everything());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_whose_making_is_interrupted_is_not_used() -> Result<()> {
    let mut machine = Machine::new()?;
    machine.start().await?;
    let (mut terminal, words) = make(&machine, SMALL).await?;
    terminal.interrupt().await?;
    is_interrupted(&machine, &mut terminal, &words).await?;

    // Half of them typed.
    let (mut terminal, words) = make(&machine, SMALL).await?;
    terminal.type_line("").await?;
    terminal.until("Now type").await?;
    assert!(!has_words(&mut terminal, &words), "they are gone:\n{}", terminal.everything());
    terminal.type_keys(words[..6].join(" ").as_bytes()).await?;
    terminal.until(&words[5]).await?;
    terminal.interrupt().await?;
    is_interrupted(&machine, &mut terminal, &words).await?;

    // Whoever has written them down goes on another day.
    let mut terminal = machine.terminal(&["wallet", "confirm"], SMALL.0, SMALL.1)?;
    terminal.until("Type the words").await?;
    terminal.type_line(&words.join(" ")).await?;
    ensure!(terminal.ended().await?.success(), "{}", terminal.everything());
    assert!(!has_words(&mut terminal, &words), "{}", terminal.everything());
    let used = machine.until("the wallet in use", |snapshot| snapshot.wallet.is_some()).await?;
    assert_eq!(used.wallet, used.kept_wallet.as_ref().map(|kept| kept.address));
    Ok(())
}

/// It has ended, says what that means, and has left nothing in the terminal or in use.
async fn is_interrupted(machine: &Machine, terminal: &mut Terminal, words: &[String]) -> Result<()> {
    ensure!(!terminal.ended().await?.success(), "{}", terminal.everything());
    let everything = terminal.everything();
    assert!(everything.contains("Nothing is paid to this wallet"), "{everything}");
    assert!(!has_words(terminal, words), "{everything}");
    let snapshot = machine.until("the wallet", |snapshot| snapshot.kept_wallet.is_some()).await?;
    let confirmed = snapshot.kept_wallet.as_ref().map(|kept| kept.confirmed);
    assert_eq!((snapshot.wallet, confirmed), (None, Some(false)));
    Ok(())
}

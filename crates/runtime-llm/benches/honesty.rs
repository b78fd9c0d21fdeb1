//! How well a check tells a model's own texts from others': `cargo bench -p lull-runtime-llm --bench honesty -- MODEL OTHER…`.
//!
//! Each model goes on with the same prompts, four side by side; then MODEL checks every text alone, as the network does. The
//! texts of MODEL itself are the honest ones. `tests/inference/worse.py` makes others. A worker that returns canned text is
//! played by giving each prompt the text of the prompt after it, and one that does not keep to the seed by checking with
//! another. For each there is the mean gap of its texts, the area under the curve (how often an honest text has the smaller
//! gap), and how many are caught at the threshold.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lull_infer::{is_honest, mean_gap};
use lull_runtime_api::{Answer, Ask};
use lull_testkit::served_model::{ServedModel, generated, on_processor, vocabulary};
use lull_types::infer::{Generate, Sampling, Token};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lull-runtime-llm");
/// Texts at once: as a worker that serves.
const AT_ONCE: usize = 4;

const PROMPTS: &[&str] = &[
    "The history of the steam engine begins",
    "Dear customer, thank you for your message about the delayed parcel.",
    "def fibonacci(n):",
    "In the kitchen, the first thing that she noticed was",
    "The three largest cities of Germany are",
    "Once upon a time, in a village at the edge of the forest,",
    "To reset your password, open the settings and",
    "The contract may be ended by either side when",
    "Water boils at a lower temperature on a mountain because",
    "The committee met on Tuesday to discuss",
    "SELECT name, price FROM products WHERE",
    "My favourite recipe for bread needs",
    "The patient was told to take the medicine",
    "A list of things to pack for a week by the sea:",
    "The theorem follows from the fact that",
    "Breaking news: a storm over the North Sea has",
];

#[tokio::main]
async fn main() -> Result<()> {
    // A test runner asks every program for its tests; here are none.
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    // `cargo bench` adds a flag of its own.
    let models: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [model, others @ ..] = &models[..] else { bail!("name the model, and others to tell it from") };
    let mut out = std::io::stdout();
    let mut reader = ServedModel::start(Path::new(PROGRAM), Path::new(model), vocabulary()).await?;
    let mut prompts = Vec::new();
    for prompt in PROMPTS {
        prompts.push(reader.read(prompt).await?);
    }
    let samplings = [
        ("the likeliest token always", Sampling::GREEDY, 48),
        ("temperature 0.7, top_p 0.95", sampling(0.7, 0.95, 11), 48),
        ("temperature 1, top_p 1", sampling(1.0, 1.0, 12), 48),
        ("temperature 1, top_p 1", sampling(1.0, 1.0, 13), 12),
    ];
    for (name, sampling, tokens) in samplings {
        writeln!(out, "\n{name}; {} texts of {tokens} tokens at most", prompts.len())?;
        let honest = texts(model, &prompts, sampling, tokens).await?;
        let honest_gaps = gaps(model, &prompts, &honest, sampling).await?;
        tell(&mut out, "honest", &honest_gaps, &honest_gaps)?;
        for other in others {
            let texts = texts(other, &prompts, sampling, tokens).await?;
            let name =
                Path::new(other).file_stem().context("a model has no name")?.to_string_lossy().into_owned();
            tell(&mut out, &name, &gaps(model, &prompts, &texts, sampling).await?, &honest_gaps)?;
        }
        let mut canned = honest.clone();
        canned.rotate_left(1);
        tell(&mut out, "canned text", &gaps(model, &prompts, &canned, sampling).await?, &honest_gaps)?;
        if sampling.temperature > 0.0 {
            let another = Sampling { seed: sampling.seed + 100, ..sampling };
            tell(&mut out, "another seed", &gaps(model, &prompts, &honest, another).await?, &honest_gaps)?;
        }
    }
    Ok(())
}

fn sampling(temperature: f32, top_p: f32, seed: u64) -> Sampling {
    Sampling { temperature, top_p, seed, ..Sampling::GREEDY }
}

/// What a model makes of each prompt.
async fn texts(
    model: &str,
    prompts: &[Vec<Token>],
    sampling: Sampling,
    tokens: u32,
) -> Result<Vec<Vec<Token>>> {
    let serve = on_processor(512, AT_ONCE as u32, 2);
    let mut served = ServedModel::start(Path::new(PROGRAM), Path::new(model), serve).await?;
    let ask = |prompt: &Vec<Token>| {
        Ask::Generate(Generate {
            tokens: prompt.clone(),
            generated: 0,
            sampling,
            tokens_max: tokens,
            stops: Vec::new(),
            log_probabilities: false,
        })
    };
    let answers = served.ask_all(prompts.iter().map(ask).collect()).await?;
    Ok(answers.iter().map(|answers| generated(answers)).collect())
}

/// The gaps of each text, as the model finds them.
async fn gaps(
    model: &str,
    prompts: &[Vec<Token>],
    texts: &[Vec<Token>],
    sampling: Sampling,
) -> Result<Vec<Vec<f32>>> {
    let serve = on_processor(512, 1, 2);
    let mut served = ServedModel::start(Path::new(PROGRAM), Path::new(model), serve).await?;
    let mut found = Vec::new();
    for (prompt, text) in prompts.iter().zip(texts) {
        let check = Ask::Check {
            tokens: [&prompt[..], text].concat(),
            given_tokens: prompt.len() as u32,
            generated: 0,
            sampling,
        };
        match served.ask(check).await?.pop() {
            Some(Answer::Gaps(gaps)) => found.push(gaps),
            other => bail!("{other:?}"),
        }
    }
    Ok(found)
}

fn tell(out: &mut impl Write, name: &str, found: &[Vec<f32>], honest: &[Vec<f32>]) -> Result<()> {
    let caught = found.iter().filter(|gaps| !is_honest(gaps)).count();
    let means = |gaps: &[Vec<f32>]| gaps.iter().map(|gaps| mean_gap(gaps)).collect::<Vec<_>>();
    let (gaps, honest) = (means(found), means(honest));
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f32::total_cmp);
    let mean = gaps.iter().sum::<f32>() / gaps.len() as f32;
    let pairs = honest.iter().flat_map(|honest| gaps.iter().map(move |gap| (honest, gap)));
    let wins: f32 = pairs
        .map(|(honest, gap)| {
            if gap > honest {
                1.0
            } else if gap == honest {
                0.5
            } else {
                0.0
            }
        })
        .sum();
    let area = wins / (honest.len() * gaps.len()) as f32;
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    writeln!(
        out,
        "  {name:<14} gap {mean:.4}  ({least:.4} to {most:.4})  area {area:.3}  caught {caught} of {}",
        gaps.len()
    )?;
    Ok(())
}

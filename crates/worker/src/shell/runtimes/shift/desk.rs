//! What a network asks of a model that is served, and what it is told: bounds, numbers and figures. Decides only.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use lull_network_api::{ShiftAnswer, ShiftReply, ShiftRequest};
use lull_runtime_api::{Answer, Ask, ServingEvent};
use lull_types::Fault;
use lull_types::infer::{Shift, Token, limits};
use lull_worker_api::ShiftView;
use tokio::time::Instant;

/// Asks that may be open, for each text at once: one that is answered, and one that waits so that no slice is idle.
const ASKS_PER_SEQUENCE: usize = 2;

/// What "now" is in tokens per second: long enough to even out slices, short enough to follow a text's end.
const SPEED_OVER: Duration = Duration::from_secs(5);

/// What is to be done about a request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reaction {
    /// What the network is told at once.
    pub reply: Option<ShiftReply>,
    /// What the runtime is told.
    pub tell: Option<Tell>,
}

/// What a runtime is told.
#[derive(Debug, PartialEq)]
pub(super) enum Tell {
    Ask(u64, Box<Ask>),
    Drop(u64),
}

/// An ask that the runtime has not ended.
#[derive(Debug)]
struct Open {
    /// Tokens of it that are a prompt.
    prompt_tokens: u64,
    /// How many of them count as read.
    read_tokens: u64,
    /// The runtime was told to drop it.
    dropped: bool,
    /// The network was told its end already.
    told: bool,
}

/// The asks of one shift.
#[derive(Debug)]
pub(super) struct Desk {
    shift: Shift,
    sequences: u32,
    open: HashMap<u64, Open>,
    tokens_read: u64,
    tokens_generated: u64,
    /// How many were generated, at instants of the last seconds.
    lately: VecDeque<(Instant, u64)>,
}

impl Desk {
    /// For a shift that is served with so many texts at once.
    pub fn new(shift: Shift, sequences: u32) -> Self {
        Self {
            shift,
            sequences,
            open: HashMap::new(),
            tokens_read: 0,
            tokens_generated: 0,
            lately: VecDeque::new(),
        }
    }

    /// Takes in what the network asks.
    pub fn asked(&mut self, request: ShiftRequest) -> Reaction {
        let (number, ask, prompt_tokens) = match request {
            ShiftRequest::Generate { number, generate } => {
                let prompt = (generate.tokens.len() as u64).saturating_sub(generate.generated.into());
                (number, Ask::Generate(*generate), prompt)
            }
            ShiftRequest::Embed { number, tokens } => {
                let prompt = tokens.len() as u64;
                (number, Ask::Embed { tokens }, prompt)
            }
            ShiftRequest::Drop { number } => {
                let drop = self.open.get_mut(&number).is_some_and(Open::drop);
                return Reaction { reply: None, tell: drop.then_some(Tell::Drop(number)) };
            }
        };
        if let Some(open) = self.open.get_mut(&number) {
            // Whoever asks takes this for the end of both, so that nothing more may follow.
            open.told = true;
            let tell = open.drop().then_some(Tell::Drop(number));
            let fault = Fault::new("ask_number_used", "An ask with this number goes on; both are ended.");
            return Reaction { reply: Some(failed(number, fault)), tell };
        }
        if let Err(fault) = self.check(&ask) {
            return Reaction { reply: Some(failed(number, fault)), tell: None };
        }
        self.open.insert(number, Open { prompt_tokens, read_tokens: 0, dropped: false, told: false });
        Reaction { reply: None, tell: Some(Tell::Ask(number, Box::new(ask))) }
    }

    /// What can be known of an ask without the model. The runtime checks the rest.
    fn check(&self, ask: &Ask) -> Result<(), Fault> {
        let asks_max = ASKS_PER_SEQUENCE * self.sequences as usize;
        if self.open.len() >= asks_max {
            let sentence = format!("{asks_max} asks are open, which is all that this worker takes.");
            return Err(Fault::new("asks_too_many", sentence));
        }
        let (tokens, stops): (&[Token], &[String]) = match ask {
            Ask::Generate(generate) => (&generate.tokens, &generate.stops),
            Ask::Embed { tokens } => (tokens, &[]),
            Ask::Check { .. } | Ask::Tokenize { .. } | Ask::Chat { .. } => (&[], &[]),
        };
        if tokens.len() > self.shift.context_tokens as usize {
            let sentence = format!(
                "The text has {} tokens, over the shift's {}.",
                tokens.len(),
                self.shift.context_tokens
            );
            return Err(Fault::new("ask_too_long", sentence));
        }
        let stops_long = stops.iter().any(|stop| stop.len() > limits::STOP_BYTES_MAX);
        if stops.len() > limits::STOP_STRINGS_MAX || stops_long {
            return Err(Fault::new("ask_too_long", "The strings at which to stop are too many or too long."));
        }
        Ok(())
    }

    /// Takes in what the runtime tells; gives what the network is told.
    pub fn told(&mut self, event: ServingEvent) -> Option<ShiftReply> {
        match event {
            ServingEvent::Loading { fraction } => Some(ShiftReply::Preparing { fraction }),
            ServingEvent::Ready(_) => Some(ShiftReply::Ready { sequences: self.sequences }),
            ServingEvent::Answer { number, answer } => {
                self.count(number, &answer);
                let open = self.open.get_mut(&number)?;
                let told = open.told;
                if answer.is_last() {
                    self.open.remove(&number);
                }
                (!told).then(|| ShiftReply::Answer { number, answer: answer_of(answer) })
            }
        }
    }

    fn count(&mut self, number: u64, answer: &Answer) {
        let Some(open) = self.open.get_mut(&number) else { return };
        let read = match answer {
            Answer::Reading { tokens } => u64::from(*tokens).min(open.prompt_tokens),
            Answer::Token { .. } => {
                self.tokens_generated += 1;
                open.prompt_tokens
            }
            Answer::Finished { .. } | Answer::Embedding(_) | Answer::Gaps(_) => open.prompt_tokens,
            Answer::Tokens(_) | Answer::Dropped | Answer::Failed(_) => open.read_tokens,
        };
        self.tokens_read += read.saturating_sub(open.read_tokens);
        open.read_tokens = open.read_tokens.max(read);
    }

    /// Ends all asks; gives what the network is told of them. Nothing that the runtime tells of them counts after it.
    pub fn drop_all(&mut self) -> Vec<ShiftReply> {
        let open = self.open.drain().filter(|(_, open)| !open.told);
        open.map(|(number, _)| ShiftReply::Answer { number, answer: ShiftAnswer::Dropped }).collect()
    }

    /// How it goes, for people.
    pub fn view(&mut self, now: Instant) -> ShiftView {
        self.lately.push_back((now, self.tokens_generated));
        while self.lately.len() > 2 && self.lately.front().is_some_and(|(at, _)| now - *at > SPEED_OVER) {
            self.lately.pop_front();
        }
        let speed = self.lately.front().map_or(0.0, |(at, before)| {
            let seconds = (now - *at).as_secs_f32();
            if seconds > 0.0 { (self.tokens_generated - before) as f32 / seconds } else { 0.0 }
        });
        ShiftView {
            model: self.shift.name.clone(),
            texts_open: self.open.len() as u32,
            tokens_read: self.tokens_read,
            tokens_generated: self.tokens_generated,
            tokens_per_second: speed,
            price_per_1000_generated_tokens: self.shift.price_per_1000_generated_tokens,
            price_per_1000_prompt_tokens: self.shift.price_per_1000_prompt_tokens,
        }
    }
}

impl Open {
    /// Whether the runtime is to be told that it is no longer wanted, which it is once.
    fn drop(&mut self) -> bool {
        !std::mem::replace(&mut self.dropped, true)
    }
}

fn failed(number: u64, fault: Fault) -> ShiftReply {
    ShiftReply::Answer { number, answer: ShiftAnswer::Failed(fault) }
}

fn answer_of(answer: Answer) -> ShiftAnswer {
    match answer {
        Answer::Reading { tokens } => ShiftAnswer::Reading { tokens },
        Answer::Token { token, log_probability } => ShiftAnswer::Token { token, log_probability },
        Answer::Finished { finish, kept_tokens } => ShiftAnswer::Finished { finish, kept_tokens },
        Answer::Embedding(numbers) => ShiftAnswer::Embedding(numbers),
        Answer::Dropped => ShiftAnswer::Dropped,
        Answer::Failed(fault) => ShiftAnswer::Failed(fault),
        Answer::Gaps(_) | Answer::Tokens(_) => {
            let sentence = "The worker's runtime answered something else than was asked.";
            ShiftAnswer::Failed(Fault::new("answer_misplaced", sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::infer::{Finish, Generate, Sampling};
    use lull_types::{BaseUnits, BlobHash};

    fn desk() -> Desk {
        let shift = Shift {
            model: BlobHash([0; 32]),
            name: "Small".to_owned(),
            bytes: 1,
            context_tokens: 10,
            sequences: 4,
            serve_ms: 1,
            price_per_1000_prompt_tokens: BaseUnits(1),
            price_per_1000_generated_tokens: BaseUnits(2),
        };
        Desk::new(shift, 1)
    }

    fn generate(tokens: usize, generated: u32) -> Generate {
        Generate {
            tokens: vec![1; tokens],
            generated,
            sampling: Sampling::GREEDY,
            tokens_max: 5,
            stops: Vec::new(),
            log_probabilities: false,
        }
    }

    fn ask(desk: &mut Desk, number: u64, generate: Generate) -> Reaction {
        desk.asked(ShiftRequest::Generate { number, generate: Box::new(generate) })
    }

    fn code(reaction: &Reaction) -> &str {
        match &reaction.reply {
            Some(ShiftReply::Answer { answer: ShiftAnswer::Failed(fault), .. }) => &fault.code,
            _ => "",
        }
    }

    fn answer(desk: &mut Desk, number: u64, answer: Answer) -> Option<ShiftAnswer> {
        match desk.told(ServingEvent::Answer { number, answer }) {
            Some(ShiftReply::Answer { number: of, answer }) if of == number => Some(answer),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    const TOKEN: Answer = Answer::Token { token: 7, log_probability: None };

    #[test]
    fn what_is_asked_is_passed_on_within_bounds() {
        let mut desk = desk();
        let first = ask(&mut desk, 1, generate(10, 0));
        assert_eq!(first.tell, Some(Tell::Ask(1, Box::new(Ask::Generate(generate(10, 0))))));
        assert_eq!(code(&ask(&mut desk, 2, generate(11, 0))), "ask_too_long");
        let stops = |stops: Vec<String>| Generate { stops, ..generate(1, 0) };
        assert_eq!(code(&ask(&mut desk, 2, stops(vec!["x".repeat(257)]))), "ask_too_long");
        assert_eq!(code(&ask(&mut desk, 2, stops(vec![String::new(); 5]))), "ask_too_long");
        assert!(ask(&mut desk, 2, generate(3, 9)).reply.is_none(), "its sense is the runtime's to judge");
        let third = desk.asked(ShiftRequest::Embed { number: 3, tokens: vec![1] });
        assert_eq!((code(&third), &third.tell), ("asks_too_many", &None));
        assert_eq!(answer(&mut desk, 1, Answer::Dropped), Some(ShiftAnswer::Dropped));
        assert!(desk.asked(ShiftRequest::Embed { number: 3, tokens: vec![1] }).tell.is_some());
    }

    #[test]
    fn a_number_that_is_used_again_ends_both_and_is_silent_from_then_on() {
        let mut desk = desk();
        ask(&mut desk, 1, generate(1, 0));
        let again = ask(&mut desk, 1, generate(1, 0));
        assert_eq!((code(&again), &again.tell), ("ask_number_used", &Some(Tell::Drop(1))));
        let third = ask(&mut desk, 1, generate(1, 0));
        assert_eq!((code(&third), &third.tell), ("ask_number_used", &None));
        assert_eq!(answer(&mut desk, 1, TOKEN), None);
        assert_eq!(answer(&mut desk, 1, Answer::Dropped), None);
        assert!(ask(&mut desk, 1, generate(1, 0)).tell.is_some());
        assert_eq!(answer(&mut desk, 9, TOKEN), None, "nobody asked");
    }

    #[test]
    fn a_drop_is_passed_on_once_and_only_of_what_goes_on() {
        let mut desk = desk();
        let drop = |desk: &mut Desk, number| desk.asked(ShiftRequest::Drop { number }).tell;
        assert_eq!(drop(&mut desk, 1), None);
        ask(&mut desk, 1, generate(1, 0));
        assert_eq!(drop(&mut desk, 1), Some(Tell::Drop(1)));
        assert_eq!(drop(&mut desk, 1), None);
        assert_eq!(code(&ask(&mut desk, 2, generate(1, 0))), "");
        assert_eq!(
            code(&ask(&mut desk, 3, generate(1, 0))),
            "asks_too_many",
            "until the runtime has ended it"
        );
        assert_eq!(answer(&mut desk, 1, TOKEN), Some(ShiftAnswer::Token { token: 7, log_probability: None }));
        assert_eq!(answer(&mut desk, 1, Answer::Dropped), Some(ShiftAnswer::Dropped));
        let dropped = ShiftReply::Answer { number: 2, answer: ShiftAnswer::Dropped };
        assert_eq!(desk.drop_all(), [dropped]);
        assert_eq!(answer(&mut desk, 2, TOKEN), None, "it was told that it has ended");
    }

    #[test]
    fn tokens_are_counted_once_and_speed_is_that_of_the_last_seconds() {
        let mut desk = desk();
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(desk.view(at(0)).tokens_per_second, 0.0);
        ask(&mut desk, 1, generate(9, 4));
        for tokens in [3, 4, 900] {
            answer(&mut desk, 1, Answer::Reading { tokens });
        }
        assert_eq!(desk.view(at(500)).tokens_read, 5);
        for _ in 0..20 {
            answer(&mut desk, 1, TOKEN);
        }
        let view = desk.view(at(1000));
        assert_eq!((view.tokens_read, view.tokens_generated, view.texts_open), (5, 20, 1));
        assert_eq!(view.tokens_per_second, 20.0);
        answer(&mut desk, 1, Answer::Finished { finish: Finish::Length, kept_tokens: 0 });
        desk.asked(ShiftRequest::Embed { number: 2, tokens: vec![1; 4] });
        answer(&mut desk, 2, Answer::Embedding(vec![1.0]));
        for half in 3..20 {
            desk.view(at(half * 500));
        }
        let view = desk.view(at(10_000));
        assert_eq!((view.tokens_read, view.tokens_per_second, view.texts_open), (9, 0.0, 0));
    }
}

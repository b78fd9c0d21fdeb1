//! A model that llama.cpp computes.

use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::LlamaBackendDeviceType;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use lull_runtime_api::Compute;
use lull_types::infer::Token;
use lull_types::{DeviceInfo, DeviceKind};

use crate::batch::ENTRIES_MAX;
use crate::chat::{ChatError, ChatTemplate};
use crate::model::{Entry, Model, ModelError, Vocabulary};
use crate::templates;

/// Tokens of a text that is embedded: it is computed as one, and memory is held for it.
const EMBEDDED_TOKENS_MAX: u32 = 2_048;

/// llama.cpp, ready.
pub(crate) struct Llama(LlamaBackend);

/// A file that is loaded.
pub(crate) struct Loaded {
    model: LlamaModel,
}

impl Llama {
    /// Readies llama.cpp. Once in a process.
    pub(crate) fn new() -> Result<Self, ModelError> {
        #[cfg(target_arch = "x86_64")]
        if !(std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")) {
            let why = "this processor has no AVX2, which computing models takes";
            return Err(ModelError::NotLoaded(why.to_owned()));
        }
        llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());
        LlamaBackend::init().map(Self).map_err(|error| ModelError::NotLoaded(error.to_string()))
    }

    /// Loads a file's vocabulary.
    pub(crate) fn load_vocabulary(&self, path: &Path) -> Result<Loaded, ModelError> {
        self.load(path, LlamaModelParams::default().with_vocab_only(true))
    }

    /// Loads a file to be computed, with so many layers on the device. `goes_on` is told how much is loaded, and says whether
    /// to go on.
    pub(crate) fn load_model(
        &self,
        path: &Path,
        device: &DeviceInfo,
        device_layers: u32,
        goes_on: impl FnMut(f32) -> bool + 'static,
    ) -> Result<Loaded, ModelError> {
        let devices = devices_for(device)?;
        let params = LlamaModelParams::default()
            .with_n_gpu_layers(if devices.is_empty() { 0 } else { device_layers })
            .with_devices(&devices)
            .map_err(|error| ModelError::NotLoaded(error.to_string()))?
            .with_progress_callback(goes_on);
        self.load(path, params)
    }

    fn load(&self, path: &Path, params: LlamaModelParams) -> Result<Loaded, ModelError> {
        let model = LlamaModel::load_from_file(&self.0, path, &params);
        model.map(|model| Loaded { model }).map_err(|error| ModelError::NotLoaded(error.to_string()))
    }
}

/// llama.cpp's devices for one of ours: none for the processor.
fn devices_for(device: &DeviceInfo) -> Result<Vec<usize>, ModelError> {
    if device.kind == DeviceKind::Software {
        return Ok(Vec::new());
    }
    let gpu = |kind| matches!(kind, LlamaBackendDeviceType::Gpu | LlamaBackendDeviceType::IntegratedGpu);
    let known = llama_cpp_2::list_llama_ggml_backend_devices();
    let same = known.iter().find(|known| gpu(known.device_type) && known.description == device.name);
    same.map(|same| vec![same.index]).ok_or_else(|| ModelError::NoSuchDevice(device.name.clone()))
}

impl Loaded {
    /// The template of its chats: the one that is given, its own, or its architecture's.
    pub(crate) fn chat_template(&self, given: Option<String>) -> Result<ChatTemplate, ChatError> {
        let own = || self.model.chat_template(None).ok()?.to_string().ok();
        let usual = || {
            let architecture = self.model.meta_val_str("general.architecture").ok()?;
            templates::of_architecture(&architecture).map(str::to_owned)
        };
        let source = given.or_else(own).or_else(usual).ok_or(ChatError::NoTemplate)?;
        let vocabulary = self.model.vocab();
        let text = |token: LlamaToken| {
            String::from_utf8_lossy(&vocabulary.token_to_piece(token, true, None)).into_owned()
        };
        ChatTemplate::new(source, text(vocabulary.bos()), text(vocabulary.eos()))
    }

    /// The tokens with which it ends a text.
    pub(crate) fn ends(&self) -> Vec<Token> {
        (0..self.tokens()).filter(|token| self.is_end(*token)).collect()
    }

    /// Readies it to compute.
    pub(crate) fn computing<'a>(
        &'a self,
        llama: &'a Llama,
        compute: &Compute,
    ) -> Result<Computing<'a>, ModelError> {
        let threads = i32::try_from(compute.threads.max(1)).unwrap_or(1);
        let tokens = compute.context_tokens.saturating_mul(compute.sequences);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(ENTRIES_MAX as u32)
            .with_n_ubatch(ENTRIES_MAX as u32)
            .with_n_seq_max(compute.sequences)
            // Every sequence has the context that it was promised, whatever others do.
            .with_kv_unified(false)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let context = self.model.new_context(&llama.0, params);
        Ok(Computing {
            loaded: self,
            llama,
            threads,
            context: context.map_err(|error| ModelError::NotLoaded(error.to_string()))?,
            batch: LlamaBatch::new(ENTRIES_MAX, 1),
            embedding: None,
        })
    }
}

impl Vocabulary for Loaded {
    fn tokens(&self) -> u32 {
        u32::try_from(self.model.vocab().n_tokens()).unwrap_or_default()
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        if token >= self.tokens() {
            return Vec::new();
        }
        self.model.vocab().token_to_piece(LlamaToken(token as i32), false, None)
    }

    fn is_end(&self, token: Token) -> bool {
        token < self.tokens() && self.model.vocab().is_eog(LlamaToken(token as i32))
    }

    fn tokenize(&self, text: &str, control: bool, whole: bool) -> Vec<Token> {
        let tokens = self.model.vocab().tokenize(text.as_bytes(), whole, control);
        tokens.into_iter().filter_map(|token| Token::try_from(token.0).ok()).collect()
    }
}

/// A model that computes.
pub(crate) struct Computing<'a> {
    loaded: &'a Loaded,
    llama: &'a Llama,
    threads: i32,
    context: LlamaContext<'a>,
    batch: LlamaBatch<'static>,
    /// Made when something is embedded for the first time.
    embedding: Option<LlamaContext<'a>>,
}

impl Vocabulary for Computing<'_> {
    fn tokens(&self) -> u32 {
        self.loaded.tokens()
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        self.loaded.piece(token)
    }

    fn is_end(&self, token: Token) -> bool {
        self.loaded.is_end(token)
    }

    fn tokenize(&self, text: &str, control: bool, whole: bool) -> Vec<Token> {
        self.loaded.tokenize(text, control, whole)
    }
}

impl Model for Computing<'_> {
    fn compute(&mut self, entries: &[Entry]) -> Result<(), ModelError> {
        fill(&mut self.batch, entries)?;
        self.context.decode(&mut self.batch).map_err(failed)
    }

    fn scores(&self, entry: usize) -> &[f32] {
        self.context.get_logits_ith(entry as i32)
    }

    fn keep(&mut self, sequence: u32, tokens: u32) -> bool {
        if self.context.kv_cache_seq_rm(sequence as i32, Some(tokens), None).is_ok() {
            return true;
        }
        // A model whose state is no list of tokens can only begin anew, which never fails.
        let _ = self.context.kv_cache_seq_rm(sequence as i32, None, None);
        tokens == 0
    }

    fn embed(&mut self, tokens: &[Token]) -> Result<Vec<f32>, ModelError> {
        let tokens_max = EMBEDDED_TOKENS_MAX.min(self.loaded.model.n_ctx_train());
        if tokens.len() > tokens_max as usize {
            return Err(ModelError::TooLong { tokens: tokens.len(), tokens_max: tokens_max as usize });
        }
        let context = match &mut self.embedding {
            Some(context) => context,
            none => none.insert(self.loaded.embedding_context(self.llama, tokens_max, self.threads)?),
        };
        context.clear_kv_cache();
        let mut batch = LlamaBatch::new(tokens.len(), 1);
        let entry = |(token, place): (&Token, u32)| Entry { token: *token, sequence: 0, place, scores: true };
        let entries: Vec<_> = tokens.iter().zip(0..).map(entry).collect();
        fill(&mut batch, &entries)?;
        context.decode(&mut batch).map_err(failed)?;
        let numbers = context.embeddings_seq_ith(0).map_err(failed)?;
        let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        if !length.is_normal() {
            return Err(ModelError::Failed("it gives no numbers".to_owned()));
        }
        Ok(numbers.iter().map(|number| (f64::from(*number) / length) as f32).collect())
    }
}

impl Loaded {
    fn embedding_context<'a>(
        &'a self,
        llama: &'a Llama,
        tokens: u32,
        threads: i32,
    ) -> Result<LlamaContext<'a>, ModelError> {
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(tokens)
            .with_n_ubatch(tokens)
            .with_embeddings(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        // A model that is made for embeddings says how it wants its tokens' vectors made one; others have none.
        let params = match self.model.meta_val_str(&format!("{}.pooling_type", self.architecture())) {
            Ok(_) => params,
            Err(_) => params.with_pooling_type(LlamaPoolingType::Mean),
        };
        let context = self.model.new_context(&llama.0, params);
        context.map_err(|error| ModelError::Failed(error.to_string()))
    }

    fn architecture(&self) -> String {
        self.model.meta_val_str("general.architecture").unwrap_or_default()
    }
}

fn fill(batch: &mut LlamaBatch<'_>, entries: &[Entry]) -> Result<(), ModelError> {
    batch.clear();
    for entry in entries {
        let token = LlamaToken(entry.token as i32);
        batch.add(token, entry.place as i32, &[entry.sequence as i32], entry.scores).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> ModelError {
    ModelError::Failed(error.to_string())
}

//! What the fake is to do, and how it is told.

use std::path::PathBuf;

use anyhow::Context;
use lull_types::{DeviceInfo, DeviceKind};
use serde::{Deserialize, Serialize};

/// How the fake introduces itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// As it should.
    #[default]
    Normal,
    /// As speaking another version.
    OtherProtocol,
    /// Not at all.
    Never,
}

/// What goes wrong, half-way through a run, or between two tokens of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FakeFault {
    /// The outputs differ from what an honest fake gives.
    WrongOutput,
    /// Nothing more is said, and cancels and shutdowns are ignored.
    Hang,
    /// The process aborts.
    Crash,
    /// A frame of four gibibytes is announced.
    OversizedFrame,
    /// A frame with a body that is no message.
    Garbage,
    /// The run ends with a device fault, code `device_lost`.
    DeviceLost,
    /// The run ends with a task fault.
    TaskFault,
}

/// What the fake does. Written as JSON; what is left out is as in [`Behaviour::default`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// What it enumerates.
    pub devices: Vec<DeviceInfo>,
    /// How it introduces itself.
    pub greeting: Greeting,
    /// What goes wrong.
    pub fault: Option<FakeFault>,
    /// How many runs go well before that.
    pub good_runs: u32,
    /// How long every run takes at least.
    pub run_ms: u64,
    /// How long it takes to load a model.
    pub load_ms: u64,
    /// How long it takes over a token of each text.
    pub token_ms: u64,
    /// How many tokens of a model go well before what goes wrong does.
    pub good_tokens: u64,
    /// How fast it pretends to be: a task takes its workgroups divided by this, and `run_ms`.
    pub workgroups_per_ms: u64,
    /// How long each measure of a benchmark takes.
    pub benchmark_ms_per_measure: u64,
    /// The value of every other measure than the memory that can be allocated, in the measure's unit.
    pub benchmark_value: f64,
    /// Memory that can be allocated, in 10⁹ bytes. It is really filled when the network asks for it, at the pace of a
    /// processor.
    pub memory_gigabytes: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            devices: vec![fake_device(0)],
            greeting: Greeting::Normal,
            fault: None,
            good_runs: 0,
            run_ms: 0,
            load_ms: 0,
            token_ms: 5,
            good_tokens: 0,
            // Tasks of usual size end at once, and the largest that the limits allow takes most of a minute.
            workgroups_per_ms: 100_000,
            benchmark_ms_per_measure: 50,
            benchmark_value: 1000.0,
            // 38 lanes, more than one region: they are filled in half a second.
            memory_gigabytes: 0.16,
        }
    }
}

/// A device that says that it is none.
pub fn fake_device(index: u32) -> DeviceInfo {
    DeviceInfo {
        index,
        name: format!("Fake device {index}"),
        vendor: "fake".to_owned(),
        kind: DeviceKind::Software,
        backend: "vulkan".to_owned(),
        driver: "fake".to_owned(),
        pci_bus_id: None,
        vram_bytes: Some(8 << 30),
        storage_buffer_bytes_max: 1 << 30,
        features: Vec::new(),
    }
}

impl Behaviour {
    /// The environment variable that holds a behaviour in JSON.
    pub const ENV: &'static str = "LULL_FAKE_RUNTIME";
    /// The file in the scratch folder that does.
    pub const SCRATCH_FILE: &'static str = "fake-runtime.json";

    /// The file beside the program that does: its name and `.json`. It serves where the fake stands in under
    /// another program's name and its surroundings are somebody else's.
    pub fn file_beside(program: &std::path::Path) -> PathBuf {
        let mut name = program.as_os_str().to_owned();
        name.push(".json");
        name.into()
    }

    /// What this process was told: by the environment, else by a file in its working directory, else by a
    /// file beside the program; the default when by none.
    pub fn of_this_process() -> anyhow::Result<Self> {
        if let Some(text) = std::env::var_os(Self::ENV) {
            let text = text.to_str().context("not UTF-8")?;
            return serde_json::from_str(text).context(Self::ENV);
        }
        // As it was called: a link to the fake has its own behaviour.
        let program = std::env::args_os().next().map(PathBuf::from);
        let beside = program.map(|program| Self::file_beside(&program));
        for file in [Some(PathBuf::from(Self::SCRATCH_FILE)), beside].into_iter().flatten() {
            if let Ok(text) = std::fs::read_to_string(&file) {
                return serde_json::from_str(&text).with_context(|| file.display().to_string());
            }
        }
        Ok(Self::default())
    }

    /// As the environment variable holds it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

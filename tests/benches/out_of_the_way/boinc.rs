//! BOINC's own client, from Debian, with the game in its list of exclusive applications.
//!
//! What it runs is a program of ours that spins and uses BOINC's library as it is, under a project that is nowhere: the
//! client is given the state that it would have after a download. It is a task for the processor, as is ours here.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lull_tests::PATIENCE;
use tempfile::TempDir;

use super::game::{Game, Shown, ms};

const SPIN: &str = "#include <boinc/boinc_api.h>
#include <cstdint>
int main() {
    boinc_init();
    volatile uint64_t value = 1;
    for (;;) value = value * 6364136223846793005u + 1442695040888963407u;
}
";

const STATE: &str = "<client_state>
<project><master_url>http://127.0.0.1/fake/</master_url><project_name>fake</project_name><hostid>1</hostid>
<dont_request_more_work/></project>
<app><name>spin</name></app>
<file><name>spin_app</name><nbytes>BYTES</nbytes><max_nbytes>0</max_nbytes><status>1</status><executable/></file>
<app_version><app_name>spin</app_name><version_num>100</version_num><platform>x86_64-pc-linux-gnu</platform>
<avg_ncpus>1</avg_ncpus><flops>1e9</flops><api_version>7.20.5</api_version>
<file_ref><file_name>spin_app</file_name><main_program/></file_ref></app_version>
<workunit><name>wu_1</name><app_name>spin</app_name><version_num>100</version_num><rsc_fpops_est>1e15</rsc_fpops_est>
<rsc_fpops_bound>1e19</rsc_fpops_bound><rsc_memory_bound>1e8</rsc_memory_bound><rsc_disk_bound>1e9</rsc_disk_bound>
</workunit>
<result><name>wu_1_0</name><state>2</state><platform>x86_64-pc-linux-gnu</platform><version_num>100</version_num>
<wu_name>wu_1</wu_name><report_deadline>4000000000</report_deadline><received_time>1790000000</received_time></result>
</client_state>
";

const ACCOUNT: &str =
    "<account><master_url>http://127.0.0.1/fake/</master_url><authenticator>x</authenticator></account>";

const CONFIGURATION: &str = "<cc_config><options><exclusive_app>glxgears</exclusive_app>
<skip_cpu_benchmarks>1</skip_cpu_benchmarks></options></cc_config>";

const PREFERENCES: &str = "<global_preferences><run_on_batteries>1</run_on_batteries>
<run_if_user_active>1</run_if_user_active><suspend_cpu_usage>0</suspend_cpu_usage>
<cpu_usage_limit>100</cpu_usage_limit><max_ncpus_pct>50</max_ncpus_pct></global_preferences>";

/// A task that has a processor for itself uses most of thirty ticks of its clock within so long; one that is suspended looks
/// ten times a second whether it still is, which is now and then a tick.
const WORKS: Duration = Duration::from_millis(300);
const WORKS_TICKS: u64 = 15;
/// One that uses none for so long has stopped. The client runs its tasks with the lowest priority, so that a game that takes
/// all processors leaves one that goes on a tick in most of a second.
const STILL: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(5);

pub struct Boinc {
    client: Child,
    _folder: TempDir,
}

impl Drop for Boinc {
    fn drop(&mut self) {
        // The client tells its task to end when it is told to.
        let _ = Command::new("kill").arg(self.client.id().to_string()).status();
        let _ = self.client.wait();
    }
}

impl Boinc {
    /// Starts the client; its task runs soon after.
    ///
    /// # Errors
    /// When the client or its library is not installed.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let project = at("projects/127.0.0.1_fake");
        std::fs::create_dir_all(&project)?;
        std::fs::write(at("spin.cpp"), SPIN)?;
        let app = project.join("spin_app");
        let built = Command::new("g++")
            .args(["-O1", "-o"])
            .args([&app, &at("spin.cpp")])
            .args(["-lboinc_api", "-lboinc", "-lpthread"])
            .stderr(Stdio::null())
            .status()
            .context("g++ is not installed")?;
        ensure!(built.success(), "BOINC's library is not installed (Debian: libboinc-app-dev)");
        let bytes = app.metadata()?.len().to_string();
        std::fs::write(at("client_state.xml"), STATE.replace("BYTES", &bytes))?;
        std::fs::write(at("account_127.0.0.1_fake.xml"), ACCOUNT)?;
        std::fs::write(at("cc_config.xml"), CONFIGURATION)?;
        std::fs::write(at("global_prefs_override.xml"), PREFERENCES)?;
        let client = Command::new("boinc")
            .args(["--no_gui_rpc", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("BOINC's client is not installed (Debian: boinc-client)")?;
        Ok(Self { client, _folder: folder })
    }

    /// Waits until its task runs; gives the task's process.
    pub fn until_it_works(&self) -> Result<u32> {
        let since = Instant::now();
        loop {
            if let Some(task) = self.task()?
                && let Some(before) = ticks(task)
            {
                std::thread::sleep(WORKS);
                if ticks(task).is_some_and(|now| now >= before + WORKS_TICKS) {
                    return Ok(task);
                }
            }
            ensure!(since.elapsed() < PATIENCE, "BOINC's task does not run");
            std::thread::sleep(LOOK);
        }
    }

    fn task(&self) -> Result<Option<u32>> {
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let Some(fields) = fields(&path) else { continue };
            let is_child = fields.get(1) == Some(&self.client.id().to_string());
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            if is_child && name.is_some() {
                return Ok(name);
            }
        }
        Ok(None)
    }

    /// How long after a game is on the screen the task uses no processor any more.
    pub fn trip(&self, display: &str) -> Result<f64> {
        let task = self.until_it_works()?;
        let (game, shown) = Game::start(display)?;
        let stopped = stops(task, shown);
        drop(game);
        stopped
    }
}

fn stops(task: u32, shown: Shown) -> Result<f64> {
    let mut last = (ticks(task), Instant::now());
    loop {
        std::thread::sleep(LOOK);
        let now = ticks(task);
        if now.is_none() || last.1.elapsed() >= STILL {
            return Ok(ms(last.1.duration_since(shown.at)));
        }
        if now != last.0 {
            last = (now, Instant::now());
        }
        ensure!(shown.at.elapsed() < PATIENCE, "BOINC's task does not stop");
    }
}

/// The processor's time that a process has used, in ticks of a hundredth of a second.
fn ticks(process: u32) -> Option<u64> {
    let fields = fields(Path::new(&format!("/proc/{process}")))?;
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// What follows a process's name in its `stat`: state, parent, …
fn fields(process: &Path) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

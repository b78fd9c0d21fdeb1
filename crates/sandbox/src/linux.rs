//! Linux: landlock for files, seccomp for system calls, resource limits for the rest.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
    path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use super::{Policy, SandboxError, system_calls};
use lull_types::SandboxPart;

/// The newest rules that we know; an older kernel enforces what it can of them.
const LANDLOCK: ABI = ABI::V9;

/// Open files: Mesa holds one for each buffer that it shares, and a task has 16 buffers.
const OPEN_FILES_MAX: u64 = 1024;

/// What GPU drivers and their loaders read: libraries, their configuration, and the hardware's description.
/// None of it belongs to a person.
const READ_ONLY: &[&str] = &[
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    // Vendors' own driver packages, and NixOS.
    "/opt/amdgpu",
    "/opt/amdgpu-pro",
    "/nix/store",
    "/run/opengl-driver",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/vulkan",
    "/etc/glvnd",
    "/etc/drirc",
    "/etc/nvidia",
    "/etc/localtime",
    "/sys",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/devices",
    "/proc/filesystems",
    "/proc/driver/nvidia",
    "/proc/sys/vm",
    "/dev/random",
    "/dev/urandom",
];

/// Device files without content.
const NOTHINGS: &[&str] = &["/dev/null", "/dev/zero"];

/// GPU device files; besides those that begin with `nvidia`.
const GPUS: &[&str] = &["/dev/dri", "/dev/kfd", "/dev/dxg"];

/// Gives up all that `policy` does not keep.
pub(super) fn lock_down(policy: &Policy) -> Result<Vec<SandboxPart>, SandboxError> {
    let mut held = limit_resources(policy)?;
    // Neither a core dump nor a process of the same user sees what a customer sent.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| refused("dumpable", error))?;
    held.push(SandboxPart::held("no core dumps, not traceable"));
    // Landlock and seccomp both need it, and without either it still keeps set-user-id programs out.
    rustix::thread::set_no_new_privs(true).map_err(|error| refused("no_new_privs", error))?;
    held.push(SandboxPart::held("no new privileges"));

    let status = restrict_files(policy).map_err(|error| refused("landlock", error))?;
    held.extend(files_in_words(policy, &status));
    held.push(match system_calls::restrict() {
        Ok(()) => {
            SandboxPart::held("seccomp: no sockets, no other processes, no programs, no kernel interfaces")
        }
        Err(error) => {
            let kernel = kernel();
            SandboxPart::missing(format!("seccomp ({kernel} says: {error}); a job could reach the network"))
        }
    });
    Ok(held)
}

fn refused(step: &'static str, reason: impl ToString) -> SandboxError {
    SandboxError::Refused { step, reason: reason.to_string() }
}

fn limit_resources(policy: &Policy) -> Result<Vec<SandboxPart>, SandboxError> {
    let limits = [
        (Resource::Core, 0, "RLIMIT_CORE"),
        (Resource::Nofile, OPEN_FILES_MAX, "RLIMIT_NOFILE"),
        // Of data, not of address space: drivers reserve far more of that than there is memory.
        (Resource::Data, policy.memory_bytes_max, "RLIMIT_DATA"),
        // Files in memory are files, too.
        (Resource::Fsize, policy.memory_bytes_max, "RLIMIT_FSIZE"),
    ];
    for (resource, wanted, step) in limits {
        let current = getrlimit(resource);
        let limit = current.maximum.map_or(wanted, |maximum| wanted.min(maximum));
        let limit = Some(limit);
        setrlimit(resource, Rlimit { current: limit, maximum: limit }).map_err(|e| refused(step, e))?;
    }
    let mebibytes = policy.memory_bytes_max / (1024 * 1024);
    Ok(vec![SandboxPart::held(format!("memory: at most {mebibytes} MiB"))])
}

fn restrict_files(policy: &Policy) -> Result<RestrictionStatus, RulesetError> {
    let all = AccessFs::from_all(LANDLOCK);
    // Never `Execute`: nothing is to be run. Loading libraries does not need it.
    let read: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let device = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    let scratch = read
        | make_bitflags!(AccessFs::{
            WriteFile | Truncate | RemoveFile | RemoveDir | MakeReg | MakeDir | Refer
        });
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        // What this machine does not have is left out.
        .add_rules(path_beneath_rules(READ_ONLY, read))?
        .add_rules(path_beneath_rules(NOTHINGS, read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(gpu_devices(), device))?
        .add_rules(path_beneath_rules(&policy.readable, BitFlags::from(AccessFs::ReadFile)))?
        .add_rules(path_beneath_rules([&policy.scratch], scratch))?
        .restrict_self()
}

/// The GPUs' device files that there are.
fn gpu_devices() -> Vec<PathBuf> {
    let named = GPUS.iter().map(PathBuf::from).filter(|path| path.exists());
    let nvidia =
        Path::new("/dev").read_dir().into_iter().flatten().flatten().filter_map(|entry| {
            entry.file_name().to_string_lossy().starts_with("nvidia").then(|| entry.path())
        });
    named.chain(nvidia).collect()
}

fn files_in_words(policy: &Policy, status: &RestrictionStatus) -> Vec<SandboxPart> {
    let version = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        _ => 0,
    };
    let holds = SandboxPart::held(format!(
        "landlock (version {version}): no files but {}, the GPU's and the system's libraries",
        policy.scratch.display()
    ));
    match status.ruleset {
        RulesetStatus::FullyEnforced => vec![holds],
        RulesetStatus::PartiallyEnforced => {
            let mut parts = vec![holds];
            // What else newer versions add, seccomp refuses as well.
            if version < ABI::V3 as u32 {
                parts.push(SandboxPart::missing(format!(
                    "landlock's guard of truncation ({} is too old)",
                    kernel()
                )));
            }
            parts
        }
        RulesetStatus::NotEnforced => {
            let why = match status.landlock {
                LandlockStatus::NotEnabled => "has it switched off",
                _ => "does not have it",
            };
            vec![SandboxPart::missing(format!(
                "landlock ({} {why}); a job could read the user's files",
                kernel()
            ))]
        }
    }
}

/// Name and release of the running kernel.
fn kernel() -> String {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    format!("Linux {release}")
}

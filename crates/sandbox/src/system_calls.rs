//! The system calls that a runtime has no use for, refused with `EPERM`.
//!
//! A list of what is refused, not of what is allowed: drivers of four vendors, past and to come, run in this
//! process, and a call that one of them needs on some machine cannot be known here. What is listed is what would
//! lead out of the process; files are landlock's.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

/// Set in the number of a system call in the x32 manner: same kernel, same entry, other numbers.
#[cfg(target_arch = "x86_64")]
const X32_BIT: i64 = 0x4000_0000;

/// Calls of which no use is allowed.
const REFUSED: &[c_long] = &[
    // Network, and every other way to talk to a process that is not the worker.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_setsockopt,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Programs and other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_setrlimit,
    // Another view of the file system, and what landlock does not guard: owners, modes, times.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Parts of the kernel with a history of holes and no use here.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    libc::SYS_vmsplice,
    // The machine itself.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    // Becoming somebody else.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

/// Older forms of the above that only this architecture has.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[c_long] = &[libc::SYS_kexec_file_load];

/// Installs the filters on all threads.
pub(super) fn restrict() -> Result<(), seccompiler::Error> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let refused = SeccompFilter::new(
        rules()?,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.cast_unsigned()),
        arch,
    )?;
    // The flags of `clone3` are in memory, where a filter cannot look. A C library that is told that there is
    // no such call makes its threads by `clone`.
    let absent = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
        arch,
    )?;
    // Both are compiled before the first is in force.
    let programs: [BpfProgram; 2] = [refused.try_into()?, absent.try_into()?];
    programs.iter().try_for_each(|program| apply_filter_all_threads(program))
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What is refused: by number alone where there are no rules, else where any rule matches.
fn rules() -> Result<Rules, seccompiler::Error> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};

    let own = u64::from(std::process::id());
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_OLD).map(|&call| (call, Vec::new())).collect();
    let mut refuse_if = |call: c_long, conditions: Vec<SeccompCondition>| {
        let any_of = conditions.into_iter().map(|condition| SeccompRule::new(vec![condition]));
        rules.insert(call, any_of.collect::<Result<_, _>>()?);
        Ok::<_, seccompiler::Error>(())
    };
    // Threads, but no processes.
    let thread = libc::CLONE_THREAD.cast_unsigned().into();
    refuse_if(libc::SYS_clone, vec![long(0, MaskedEq(thread), 0)?])?;
    // Signals to itself, as an abort sends them, but to nobody else.
    refuse_if(libc::SYS_kill, vec![word(0, Ne, own)?])?;
    refuse_if(libc::SYS_tgkill, vec![word(0, Ne, own)?])?;
    refuse_if(libc::SYS_rt_sigqueueinfo, vec![word(0, Ne, own)?])?;
    refuse_if(libc::SYS_rt_tgsigqueueinfo, vec![word(0, Ne, own)?])?;
    // Mesa compares files of its own process.
    refuse_if(libc::SYS_kcmp, vec![word(0, Ne, own)?, word(1, Ne, own)?])?;
    // Limits may be read, but not set, and not those of others.
    refuse_if(libc::SYS_prlimit64, vec![word(0, Ne, 0)?, long(2, Ne, 0)?])?;
    // What was given up stays given up.
    let options = [libc::PR_SET_DUMPABLE, libc::PR_SET_PDEATHSIG, libc::PR_SET_PTRACER, libc::PR_SET_MM];
    let options = options.map(|option| word(0, Eq, u64::from(option.cast_unsigned())));
    refuse_if(libc::SYS_prctl, options.into_iter().collect::<Result<_, _>>()?)?;
    // Typing into a terminal that was inherited.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|command| word(1, Eq, command));
    refuse_if(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?)?;

    #[cfg(target_arch = "x86_64")]
    refuse_x32(&mut rules);
    Ok(rules)
}

/// Refuses what has rules in the x32 manner, too, and all calls that only x32 has. No program for this
/// architecture uses them.
#[cfg(target_arch = "x86_64")]
fn refuse_x32(rules: &mut Rules) {
    let listed: Vec<i64> = rules.keys().copied().chain([libc::SYS_clone3]).collect();
    // From `rt_sigaction` to `pwritev2`, as the kernel's syscall_64.tbl lists them; fixed for ever.
    let only_x32 = 512..=547;
    rules.extend(listed.into_iter().chain(only_x32).map(|call| (call | X32_BIT, Vec::new())));
}

fn word(argument: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)?)
}

fn long(argument: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Qword, op, value)?)
}

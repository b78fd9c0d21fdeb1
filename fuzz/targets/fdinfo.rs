//! What the kernel's drivers say of programs, some of which name themselves.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use lull_guards::gpu_use::fdinfo::{Client, Clients, parse};

// Two texts, one after the other, parted by a zero.
fuzz_target!(|bytes: &[u8]| {
    let mut texts = bytes.splitn(2, |byte| *byte == 0);
    let (first, then) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
    let mut clients = Clients::default();
    let Some(first) = parse(first) else { return };
    assert_eq!(clients.shares(&first, Duration::ZERO), None);
    if let Some(then) = parse(then) {
        let then = Client { id: first.id, ..then };
        let shares = clients.shares(&then, Duration::from_secs(1)).expect("it was read before");
        assert!(shares.iter().all(|(_, share)| (0.0..=1.0).contains(share)), "{shares:?}");
    }
});

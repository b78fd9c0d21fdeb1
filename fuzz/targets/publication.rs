//! The file of an epoch from anyone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_settlement::epoch::Tree;
use lull_settlement::publication;

fuzz_target!(|bytes: &[u8]| {
    let checked = publication::check(bytes).ok();
    let Ok((header, leaves)) = publication::read(bytes) else {
        assert!(checked.is_none(), "what cannot be read is not sound");
        return;
    };
    assert_eq!(checked, Some(header));
    let tree = Tree::build(&header.anchor, &leaves);
    let mut again = Vec::new();
    let written = publication::write(&mut again, header.anchor, header.epoch, &leaves, &tree);
    assert_eq!(written.ok(), Some(header));
    assert_eq!(again, bytes, "an epoch has one file");
    if let Some(leaf) = leaves.as_slice().first() {
        let (_, entry) = publication::prove(bytes, leaf.worker, leaf.wallet).expect("it is sound");
        assert!(entry.is_some_and(|entry| entry.proof.holds(&header.anchor, leaf, &header.root)));
    }
});

//! The network: gateway, scheduler, verifier, ledger and store, in one binary.

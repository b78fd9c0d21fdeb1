//! When the GPU must be free: the pure policy, and probes per operating system.

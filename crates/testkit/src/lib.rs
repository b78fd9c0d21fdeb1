//! Fakes, a virtual clock and simulated workers for the tests of every room.

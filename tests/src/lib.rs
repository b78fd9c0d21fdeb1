//! Cross-process scenarios: real processes killed, cut off and lied to.

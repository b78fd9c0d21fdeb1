//! What the window may ask of the shell. Every fault crosses as `{code, sentence}`.

pub mod autostart;
pub mod file;
pub mod page;
pub mod quit;
pub mod worker;

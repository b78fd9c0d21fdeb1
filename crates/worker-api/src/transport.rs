//! The local transport.

//! The five rules.

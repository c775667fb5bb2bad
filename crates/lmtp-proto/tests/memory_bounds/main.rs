//! What the machines cost: allocations, live memory, work for each octet. Counted, never clocked.
//!
//! A binary of its own, for it has an allocator of its own, which counts for each thread.

mod hostile;
mod idle;
mod linear;
mod meter;
mod transaction;

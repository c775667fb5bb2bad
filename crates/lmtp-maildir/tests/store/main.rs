//! The store as a whole: what is on disk, and what is when the disk, the process or the power fails.

mod content;
mod faults;
mod faulty;
mod kill;
mod paths;
mod power;
mod sim;
mod support;
mod syscalls;
mod threads;

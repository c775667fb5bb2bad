//! The server on real sockets.

mod connections;
mod handlers;
mod running;

//! The way to stop a delivery and still hear what is known.

use std::sync::Arc;

use tokio::sync::watch;

/// Stops deliveries: each gives its report at once, with the answers that were read. Clones
/// are one.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// One that has not been used.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Stops the deliveries that were given it, and those to come.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether that was done.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until that is done.
    pub(crate) async fn cancelled(&self) {
        // The sender is ours, so it is there.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

//! tokio's clock.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::{self, Sleep};

/// tokio's clock, which tests may pause.
#[derive(Debug, Default)]
pub struct Timer {
    /// Set for a moment; one that has moved on since is looked at when it fires.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl lmtp_futures::Timer for Timer {
    fn new() -> Self {
        Self::default()
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }

    fn poll_until(&mut self, context: &mut Context<'_>, moment: Instant) -> Poll<()> {
        let moment = time::Instant::from_std(moment);
        if moment <= time::Instant::now() {
            return Poll::Ready(());
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(time::sleep_until(moment)));
        loop {
            if moment < sleep.deadline() {
                sleep.as_mut().reset(moment);
            }
            ready!(sleep.as_mut().poll(context));
            if moment <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(moment);
        }
    }
}

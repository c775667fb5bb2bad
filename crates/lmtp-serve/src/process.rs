//! A process that serves, as its operator sees it: signals.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::{Service, Settings};

/// Serves on this thread until [`Service::handle`] shuts it down, whatever signals come.
///
/// # Errors
///
/// It cannot listen there, or the system has no room for it.
pub fn serve_here(service: Service) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(service.run(mpsc::channel(1).1))
}

/// Serves until SIGTERM or SIGINT, and then until those who are connected have finished; a second one ends it
/// at once. SIGHUP asks `reload` for settings.
///
/// # Errors
///
/// It cannot listen there, or the system has no room for it.
pub fn serve(service: Service, mut reload: impl FnMut() -> Option<Settings> + Send + 'static) -> io::Result<()> {
    open_many();
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hangup = signal(SignalKind::hangup())?;
        let (settings, reloads) = mpsc::channel(1);
        let shutdown = service.handle();
        let watching = async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {
                        if let Some(new) = reload() {
                            // Nobody listens any more when it has ended.
                            let _ = settings.send(new).await;
                        }
                        continue;
                    }
                }
                if shutdown.is_shut_down() {
                    return;
                }
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
                shutdown.shut_down();
            }
        };
        tokio::select! {
            result = service.run(reloads) => result,
            () = watching => Ok(()),
        }
    })
}

/// As many files at once as the process may have: each connection is one. What it is born with is mostly 1024, for
/// programs that call select(2).
fn open_many() {
    if let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE)
        && now < most
    {
        // With fewer it goes on as well: connections wait.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

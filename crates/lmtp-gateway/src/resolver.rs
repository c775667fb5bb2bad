//! Who is asked for the addresses of a name.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Who is asked for the addresses of a name: by default the system. Each request asks once, and dials what it was told.
#[derive(Clone, Default)]
pub struct Resolver(Option<Arc<dyn Fn(String) -> Answer + Send + Sync>>);

impl Resolver {
    /// Asks this function.
    pub fn new<A>(ask: impl Fn(String) -> A + Send + Sync + 'static) -> Self
    where
        A: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Some(Arc::new(move |host| Box::pin(ask(host)))))
    }

    pub(crate) async fn ask(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(ask) = &self.0 {
            return ask(host.to_owned()).await;
        }
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Resolver(own)" } else { "Resolver(system)" })
    }
}

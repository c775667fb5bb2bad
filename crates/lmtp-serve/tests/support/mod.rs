//! A service that runs, in this process.

use std::thread;
use std::time::{Duration, Instant};

use lmtp_serve::{Memory, Service, Settings};

#[allow(dead_code, reason = "not every test looks at all of it")]
/// A service in a thread of its own, at a Unix socket in its folder.
pub(crate) struct Serving {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) shutdown: lmtp_tokio::Shutdown,
    pub(crate) memory: Memory,
    pub(crate) warnings: Vec<String>,
    server: Option<thread::JoinHandle<std::io::Result<()>>>,
}

impl Serving {
    /// With these settings, of which only the place to listen at is missing.
    pub(crate) fn begin(folder: tempfile::TempDir, settings: &str) -> Self {
        let text =
            format!("listen = [\"unix:{}/lmtp\"]\nname = \"mx.example.org\"\n{settings}", folder.path().display());
        let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
        let (shutdown, memory, warnings) = (service.handle(), service.memory(), service.warnings().to_vec());
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(service.run(tokio::sync::mpsc::channel(1).1))
        });
        let serving = Self { folder, shutdown, memory, warnings, server: Some(server) };
        let patience = Instant::now() + Duration::from_secs(20);
        while !serving.folder.path().join("lmtp").exists() {
            assert!(Instant::now() < patience, "it does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        serving
    }

    pub(crate) fn place(&self) -> String {
        format!("unix:{}", self.folder.path().join("lmtp").display())
    }

    pub(crate) fn end(mut self) {
        self.shutdown.shut_down();
        self.server.take().unwrap().join().unwrap().unwrap();
        assert!(!self.folder.path().join("lmtp").exists(), "its socket goes with it");
    }
}

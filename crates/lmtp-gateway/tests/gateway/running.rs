//! A gateway and a server, each in this process.

use std::net::SocketAddr;
use std::time::Duration;

use lmtp_gateway::{Config, Policy, serve};
use lmtp_serve::{Memory, Service, Settings};
use lmtp_tokio::Shutdown;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A gateway, and a server that it may dial at a port and by the name `main`.
pub(crate) struct Running {
    pub(crate) gateway: SocketAddr,
    pub(crate) port: u16,
    pub(crate) memory: Memory,
    shutdown: Shutdown,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(crate) async fn new(faults: &str) -> Self {
        Self::with(faults, |_| ()).await
    }

    pub(crate) async fn with(faults: &str, set: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("lmtp");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "listen = [\"lmtp://127.0.0.1:{port}\", \"unix:{}\"]\nname = \"mx.example.org\"\nsink = \"memory\"\n[faults]\n{faults}\n\
             [log]\nformat = \"none\"\n",
            socket.display()
        );
        let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
        let (memory, shutdown) = (service.memory(), service.handle());
        tokio::spawn(service.run(tokio::sync::mpsc::channel(1).1));
        while !socket.exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut config = Config::default();
        config.policy =
            Policy::new(vec![format!("127.0.0.1:{port}").parse().unwrap(), "mail.invalid".parse().unwrap()]);
        config.unix = [("main".to_owned(), socket)].into();
        set(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, config, std::future::pending()));
        Self { gateway, port, memory, shutdown, _folder: folder }
    }

    /// Sends a request as it is, and gives the head and the body of the answer.
    pub(crate) async fn raw(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.gateway,
            body.len()
        );
        let (head, body) = self.raw(&request).await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null), head)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, body, _) = self.ask("POST", path, "Content-Type: application/json\r\n", &body.to_string()).await;
        (status, body)
    }

    pub(crate) fn message(&self, to: &Value) -> Value {
        json!({"host": "127.0.0.1", "port": self.port, "from": "ann@x", "to": to, "subject": "Hi", "body": "Hello!\n.dot"})
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.shut_down();
    }
}

//! Servers that speak TLS: from the first octet, and by STARTTLS.

use lmtp_gateway::{Config, Policy};
use lmtp_serve::{Service, Settings};
use serde_json::json;

use crate::running::Running;

#[tokio::test]
async fn servers_are_verified_by_the_authorities_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (tls, starttls) = (free(), free());
    let text = format!(
        "listen = [\"lmtps://127.0.0.1:{tls}\", \"lmtp+starttls://127.0.0.1:{starttls}\"]\nsink = \"memory\"\n\
         [tls]\ncertificate = \"{}\"\nkey = \"{}\"\n[log]\nformat = \"none\"\n",
        chain.display(),
        key.display()
    );
    let service = Service::new(&Settings::parse(&text).unwrap()).unwrap();
    let (memory, shutdown) = (service.memory(), service.handle());
    tokio::spawn(service.run(tokio::sync::mpsc::channel(1).1));
    while tokio::net::TcpStream::connect(("127.0.0.1", starttls)).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let running = Running::with("", |config: &mut Config| {
        config.policy = Policy::new(vec!["127.0.0.0/8".parse().unwrap()]);
        config.authorities = [("ours".to_owned(), chain.clone())].into();
    })
    .await;
    for (way, port) in [("tls", tls), ("starttls", starttls)] {
        let mut asked = running.message(&json!(["bob@x"]));
        (asked["port"], asked["tls"], asked["caName"]) = (port.into(), way.into(), "ours".into());
        let (status, sent) = running.post("/api/lmtp/send", &asked).await;
        assert_eq!((status, &sent["allDelivered"]), (200, &true.into()), "{way}: {sent}");
        // Nobody of this system has issued its certificate.
        asked.as_object_mut().unwrap().remove("caName");
        let (status, sent) = running.post("/api/lmtp/send", &asked).await;
        assert_eq!((status, &sent["deliveryStatus"][0]["outcome"]), (502, &"unsent".into()), "{way}: {sent}");
        assert!(sent["error"].as_str().unwrap().contains("certificate"), "{sent}");
    }
    assert_eq!(memory.messages().len(), 2);
    shutdown.shut_down();
}

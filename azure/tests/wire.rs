//! The wire, against a real server with TLS on loopback: whom it trusts, where it goes, what it lets in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure::credential::Identity;
use azure::door::Door;
use azure::error::{Error, Reason};
use azure::fake::{Fixed, managed};
use azure::metadata::{Link, Metadata};
use azure::names::{Account, BlobName, ContainerName};
use azure::setting::Setting;
use azure::transport::Wire;
use azure_core::http::HttpClient;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that gives one answer to every request, and keeps the requests.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(tls: Option<tokio_rustls::TlsAcceptor>, answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (
            listener.local_addr().unwrap(),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (keep, answer) = (Arc::clone(&asked), Arc::new(answer.into()));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (tls, keep, answer) = (tls.clone(), Arc::clone(&keep), Arc::clone(&answer));
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, &keep, &answer).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                serve(socket, &keep, &answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    keep: &Mutex<Vec<String>>,
    answer: &[u8],
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    keep.lock()
        .unwrap()
        .push(String::from_utf8(request).unwrap());
    // The other side may hang up on an answer that it does not want.
    if socket.write_all(answer).await.is_ok() {
        drop(socket.shutdown().await);
    }
}

/// A certificate for a host, made for this test, and the file that trusts it.
fn certificate(host: &str) -> (tokio_rustls::TlsAcceptor, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(made.cert.pem().as_bytes()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![made.cert.der().clone()], key)
    .unwrap();
    (tokio_rustls::TlsAcceptor::from(Arc::new(config)), file)
}

const HOST: &str = "stsecure.blob.lab.test";

fn setting(server: &Server, root: Option<&tempfile::NamedTempFile>, more: &str) -> Setting {
    let root = root.map_or(String::new(), |root| {
        format!("root-ca = \"{}\"", root.path().display())
    });
    let text = format!(
        "{root}\nendpoints.blob-suffix = \"blob.lab.test:{}\"\npinned.\"{HOST}\" = [\"127.0.0.1\"]\n{more}",
        server.address.port()
    );
    toml::from_str(&text).unwrap()
}

/// Reads a blob's properties through the real wire.
async fn ask(setting: Setting) -> Result<azure::blob::Properties, Error> {
    let wire = Wire::new(&Arc::new(setting.clone())).unwrap();
    let door = Door::with(setting, Arc::new(Fixed::new("canary")), Arc::new(wire));
    let account = Account::try_from("stsecure").unwrap();
    let container = door
        .container(&account, &ContainerName::try_from("import").unwrap())
        .unwrap();
    container
        .blob(&BlobName::try_from("a").unwrap())
        .properties()
        .await
}

fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, "\n  cause: {cause}").unwrap();
        source = cause.source();
    }
    text
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\netag: \"0x1\"\r\n\r\n";

#[tokio::test]
async fn a_pinned_host_with_a_trusted_certificate_gets_the_token() {
    let (tls, root) = certificate(HOST);
    let server = Server::start(Some(tls), GOOD).await;

    let properties = ask(setting(&server, Some(&root), "")).await.unwrap();

    assert_eq!(properties.size, 3);
    let asked = server.asked();
    assert!(
        asked[0].starts_with("HEAD /import/a HTTP/1.1\r\n"),
        "{asked:?}"
    );
    assert!(
        asked[0].contains("authorization: Bearer canary\r\n"),
        "{asked:?}"
    );
    assert!(!asked[0].contains("accept-encoding"), "{asked:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_or_of_another_host_gets_nothing() {
    let (tls, _root) = certificate(HOST);
    let server = Server::start(Some(tls), GOOD).await;
    let error = ask(setting(&server, None, "")).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Network, "{}", causes(&error));
    assert!(server.asked().is_empty());

    let (tls, root) = certificate("stother.blob.lab.test");
    let server = Server::start(Some(tls), GOOD).await;
    assert!(ask(setting(&server, Some(&root), "")).await.is_err());
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_public_answer_for_a_private_host_is_refused_before_anything_is_sent() {
    let (tls, root) = certificate(HOST);
    let server = Server::start(Some(tls), GOOD).await;
    let private = format!("[[private]]\nhost = \"{HOST}\"");

    let error = ask(setting(&server, Some(&root), &private))
        .await
        .unwrap_err();

    assert_eq!(error.reason(), Reason::Refused);
    let causes = causes(&error);
    assert!(
        causes.contains(&format!(
            "`{HOST}` answers from 127.0.0.1, which is not a private address"
        )),
        "{causes}"
    );
    assert!(error.hint().unwrap().contains("private DNS zone"));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(None, GOOD).await;
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let (tls, root) = certificate(HOST);
        let answer = format!(
            "HTTP/1.1 {status}\r\nlocation: http://{}/steal\r\ncontent-length: 0\r\n\r\n",
            elsewhere.address
        );
        let server = Server::start(Some(tls), answer).await;
        let error = ask(setting(&server, Some(&root), "")).await.unwrap_err();
        assert!(
            error
                .status()
                .is_some_and(|status| (300..400).contains(&status)),
            "{}",
            causes(&error)
        );
    }
    assert!(elsewhere.asked().is_empty(), "{:?}", elsewhere.asked());
}

/// The proxies that the environment names are for browsers. This test runs itself with some.
#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    const INSIDE: &str = "AZURE_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        let (tls, root) = certificate(HOST);
        let server = Server::start(Some(tls), GOOD).await;
        ask(setting(&server, Some(&root), "")).await.unwrap();
        let link = Server::start(None, instance()).await;
        metadata_at(&link).instance().await.unwrap();
        return;
    }
    let proxy = Server::start(None, "HTTP/1.1 200 OK\r\n\r\n").await;
    let url = format!("http://{}", proxy.address);
    #[expect(
        clippy::disallowed_methods,
        reason = "the only way to have another environment"
    )]
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "proxies_of_the_environment_are_not_used"])
        .env(INSIDE, "1");
    for variable in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env(variable, &url);
    }
    let done = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

fn metadata_at(server: &Server) -> Metadata {
    let link: Arc<dyn HttpClient> = Arc::new(Link::to(server.address).unwrap());
    Metadata::over(&link)
}

fn instance() -> String {
    let body = r#"{"compute":{"vmId":"v-1"}}"#;
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn the_metadata_service_is_asked_as_it_wants_to_be() {
    let server = Server::start(None, instance()).await;
    let metadata = metadata_at(&server);

    assert_eq!(metadata.instance().await.unwrap().compute.vm_id, "v-1");

    let asked = &server.asked()[0];
    assert!(
        asked.starts_with("GET /metadata/instance?api-version=2025-04-07 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("metadata: true\r\n") && !asked.contains("x-forwarded-for"),
        "{asked}"
    );
}

#[tokio::test]
async fn answers_of_the_metadata_service_that_are_too_long_or_no_answers_are_errors() {
    let long = "x".repeat(300_000);
    for (answer, what) in [
        (
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}",
                long.len()
            ),
            "announced",
        ),
        (format!("HTTP/1.1 200 OK\r\n\r\n{long}"), "not announced"),
        (
            "HTTP/1.1 200 OK\r\n\r\n<html>".to_owned(),
            "another language",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), "nothing"),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n".to_owned(),
            "a redirect",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n{\"error\":\"bad\"}".to_owned(),
            "a refusal",
        ),
    ] {
        let server = Server::start(None, answer).await;
        let metadata = metadata_at(&server);
        let error = metadata.instance().await.unwrap_err();
        assert!(causes(&error).len() < 1000, "{what}: {}", causes(&error));
        assert_eq!(server.asked().len(), 1, "{what}");
    }
}

/// The SDK's own credential, over a real connection.
#[tokio::test]
async fn a_token_comes_from_the_metadata_service() {
    let body = r#"{"access_token":"canary","expires_on":"4102444800","token_type":"Bearer","resource":"r"}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Server::start(None, answer).await;
    let link = Arc::new(Link::to(server.address).unwrap());

    let source = managed(&Identity::System, link);
    let token = source
        .get_token(&["https://vault.azure.net/.default"], None)
        .await
        .unwrap();

    assert_eq!(token.token.secret(), "canary");
    assert!(
        server.asked()[0].contains("resource=https%3A%2F%2Fvault.azure.net "),
        "{:?}",
        server.asked()
    );
}

#[tokio::test]
async fn a_metadata_service_that_is_silent_is_given_five_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Arc::new(Link::to(listener.local_addr().unwrap()).unwrap());
    let asked = std::time::Instant::now();
    let token = managed(&Identity::System, link)
        .get_token(&["https://vault.azure.net/.default"], None)
        .await;
    assert!(token.is_err());
    assert!(
        asked.elapsed() < Duration::from_secs(7),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn files_without_certificates_are_errors() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [
        empty.path().display().to_string(),
        "/nonexistent/ca.pem".to_owned(),
    ] {
        let setting: Setting = toml::from_str(&format!("root-ca = \"{path}\"")).unwrap();
        let error = Wire::new(&Arc::new(setting)).unwrap_err();
        assert!(error.to_string().contains(&path), "{error}");
    }
}

//! A planted token is seen nowhere but on the wire: not in logs at trace level, errors or debug texts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use azure::blob::Upload;
use azure::credential::Identity;
use azure::door::Door;
use azure::fake::{Failing, Fault, Script, managed};
use azure::metadata::Metadata;
use azure::names::{Account, BlobName, ContainerName, ResourceId, Segment, VaultName};
use azure::setting::Setting;
use azure_core::http::HttpClient;

const CANARY: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.canary-token-4711.";
const SECRET: &str = "canary-secret-4712";

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn token_answer() -> String {
    format!(
        r#"{{"access_token":"{CANARY}","expires_on":"4102444800","token_type":"Bearer","resource":"r"}}"#
    )
}

/// A metadata service that stumbles, gives garbage with a token in it, and then the token.
fn stumbling() -> Script {
    let service = Script::new().answer(500, &[], CANARY);
    service.push(200, &[], format!("{{\"access_token\":\"{CANARY}\","));
    service.push(
        200,
        &[],
        format!("{{\"access_token\":5,\"expires_on\":\"{CANARY}\"}}"),
    );
    for _ in 0..20 {
        service.push(200, &[], token_answer());
    }
    service
}

#[tokio::test]
async fn a_planted_token_is_seen_nowhere_but_on_the_wire() {
    let log = Log::default();
    let kept = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || kept.clone())
        .init();
    let mut shown = String::new();

    let source = managed(&Identity::System, Arc::new(stumbling()));
    let script = Arc::new(Script::new());
    let door = Door::with(Setting::default(), source, script.clone());
    let account = Account::try_from("stlanding").unwrap();
    let container = door
        .container(&account, &ContainerName::try_from("landing").unwrap())
        .unwrap();
    let blob = container.blob(&BlobName::try_from("a").unwrap());

    script.push(200, &[("etag", "e"), ("content-length", "3")], "");
    write!(shown, "{:?}", blob.properties().await.unwrap()).unwrap();
    for status in [400, 401, 403, 404, 409, 412] {
        // A service that echoes the token in its complaint is a bug of the service, but not in the message.
        script.push(status, &[("x-ms-error-code", "Complaint")], "");
        let error = blob.properties().await.unwrap_err();
        write!(shown, "{error} {error:?} {:?}", error.hint()).unwrap();
    }
    script.push(404, &[], "");
    script.push(404, &[], "");
    script.push(403, &[], "");
    let upload = Upload {
        file: tempfile::tempfile().unwrap(),
        sha256: None,
        metadata: BTreeMap::new(),
        progress: None,
    };
    write!(shown, "{:?}", blob.upload(upload).await).unwrap();

    let vault = door
        .vault(&VaultName::try_from("kv-signing").unwrap())
        .unwrap();
    let challenge = "Bearer authorization=\"https://login.microsoftonline.com/t\", \
                     resource=\"https://vault.azure.net\"";
    let name = Segment::try_from("token").unwrap();
    script.push(401, &[("www-authenticate", challenge)], "");
    script.push(200, &[], format!("{{\"value\":\"{SECRET}\"}}"));
    let secret = vault.secret(&name, None).await.unwrap();
    write!(shown, "{secret:?} {secret:#?} {vault:?}").unwrap();
    script.push(200, &[], format!("{{\"value\":\"{SECRET}\""));
    let error = vault.secret(&name, None).await.unwrap_err();
    write!(
        shown,
        "{error} {error:?} {:?}",
        std::error::Error::source(&error)
    )
    .unwrap();

    let id = "/subscriptions/11/resourceGroups/rg/providers/Microsoft.DataFactory/factories/adf";
    let factory = door.factory(&ResourceId::try_from(id).unwrap()).unwrap();
    script.push(
        403,
        &[],
        r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#,
    );
    let error = factory.run(&name).await.unwrap_err();
    write!(
        shown,
        "{error} {error:?} {factory:?} {door:?} {door:#?} {:?}",
        door.tokens()
    )
    .unwrap();

    let broken: Arc<dyn HttpClient> = Arc::new(Failing::new(
        Arc::new(Script::new()),
        [(1, Fault::Status(400))],
    ));
    write!(shown, "{:?}", Metadata::over(&broken).instance().await).unwrap();

    let sent = script
        .asked()
        .iter()
        .filter(|asked| asked.headers.values().any(|value| value.contains(CANARY)))
        .count();
    assert!(
        sent > 8,
        "the token was sent {sent} times only: nothing was tested"
    );
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("TRACE") && logged.contains("token not renewed"),
        "nothing was logged"
    );
    for (text, place) in [(&logged, "the log"), (&shown, "a message")] {
        for canary in ["canary-token", "canary-secret", CANARY, SECRET] {
            let at = text
                .find(canary)
                .map(|at| text.get(at.saturating_sub(300)..at + 60));
            assert!(at.is_none(), "{canary} is in {place}: {at:?}");
        }
    }
}

/// The place of a planted challenge: a vault that names somebody else's audience gets no token.
#[tokio::test]
async fn a_vault_cannot_ask_for_a_token_for_somebody_else() {
    for resource in [
        "https://management.azure.com",
        "https://evil.test",
        "https://azure.net.evil.test",
        "x",
    ] {
        let challenge =
            format!("Bearer authorization=\"https://evil.test/t\", resource=\"{resource}\"");
        let script = Arc::new(Script::new().answer(401, &[("www-authenticate", &challenge)], ""));
        let source = Arc::new(azure::fake::Fixed::new(CANARY));
        let door = Door::with(Setting::default(), source, script.clone());
        let vault = door
            .vault(&VaultName::try_from("kv-signing").unwrap())
            .unwrap();
        let secret = vault
            .secret(&Segment::try_from("token").unwrap(), None)
            .await;
        assert!(secret.is_err(), "{resource}");
        let asked = script.asked();
        assert!(
            asked.len() == 1 && !asked[0].headers.contains_key("authorization"),
            "{resource}"
        );
    }
}

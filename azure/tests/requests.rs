//! Every request that can be sent stands in the table, looks as it says, and is documented.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what is not as expected fails the test"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure::blob::{Mode, Upload};
use azure::call::{self, Call, Service};
use azure::credential::Identity;
use azure::datafactory::Span;
use azure::door::Door;
use azure::fake::{Asked, Fixed, Script};
use azure::gallery::{
    DiskImage, Feature, Identifier, Image, ImageProperties, Patch, PublishingProfile,
    SafetyProfile, Source, TargetRegion, Version, VersionProperties, VersionStorage,
};
use azure::metadata::{Metadata, Nonce};
use azure::names::{Account, BlobName, ContainerName, ResourceId, Segment, VaultName};
use azure::setting::{Endpoint, Setting};
use azure::vault::Algorithm;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use jiff::Timestamp;

/// A token source that remembers for whom it was asked.
#[derive(Debug, Default)]
struct Scopes(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl TokenCredential for Scopes {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.0
            .lock()
            .unwrap()
            .extend(scopes.iter().map(ToString::to_string));
        Fixed::new("t").get_token(scopes, options).await
    }
}

struct World {
    door: Door,
    script: Arc<Script>,
    scopes: Arc<Scopes>,
}

fn world() -> World {
    let (script, scopes) = (Arc::new(Script::new()), Arc::new(Scopes::default()));
    let door = Door::with(Setting::default(), scopes.clone(), script.clone());
    World {
        door,
        script,
        scopes,
    }
}

fn segment(text: &str) -> Segment {
    Segment::try_from(text).unwrap()
}

fn when(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const PROPERTIES: &[(&str, &str)] = &[
    ("etag", "\"0x1\""),
    ("content-length", "3"),
    ("x-ms-meta-sha256", "ab"),
];

async fn storage(world: &World) {
    let script = &world.script;
    let container = world
        .door
        .container(
            &Account::try_from("stlanding").unwrap(),
            &ContainerName::try_from("landing").unwrap(),
        )
        .unwrap();
    script.push(200, &[("etag", "\"0x1\"")], "");
    container.properties().await.unwrap();
    script.push(
        200,
        &[],
        "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>",
    );
    assert!(container.list("tools/", 10).await.unwrap().is_empty());

    let blob = container.blob(&BlobName::try_from("tools/samtools 1.deb").unwrap());
    script.push(200, PROPERTIES, "");
    assert_eq!(blob.properties().await.unwrap().size, 3);
    script.push(
        206,
        &[
            ("content-range", "bytes 5-7/9"),
            ("etag", "\"0x1\""),
            ("content-length", "3"),
        ],
        "abc",
    );
    assert_eq!(blob.read(5, 3, "\"0x1\"").await.unwrap(), "abc");
    script.push(200, &[], "");
    blob.make_immutable(when("2027-01-31T00:00:00Z"), Mode::Unlocked)
        .await
        .unwrap();
    script.push(200, &[], "");
    blob.set_legal_hold(true).await.unwrap();
    script.push(202, &[], "");
    blob.delete("\"0x1\"").await.unwrap();

    script.push(404, &[("x-ms-error-code", "BlobNotFound")], "");
    script.push(404, &[("x-ms-error-code", "BlobNotFound")], "");
    script.push(201, &[], "");
    script.push(201, &[("etag", "\"0x2\""), ("x-ms-version-id", "v1")], "");
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"abc").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let metadata = BTreeMap::from([("origin".to_owned(), "debian".to_owned())]);
    let upload = Upload {
        file,
        sha256: None,
        metadata,
        progress: None,
    };
    let uploaded = blob.upload(upload).await.unwrap();
    assert_eq!(
        (uploaded.size, uploaded.version.as_deref()),
        (3, Some("v1"))
    );
}

async fn vault(world: &World) {
    let script = &world.script;
    let vault = world
        .door
        .vault(&VaultName::try_from("kv-signing").unwrap())
        .unwrap();
    let challenge = "Bearer authorization=\"https://login.microsoftonline.com/t\", \
                     resource=\"https://vault.azure.net\"";
    for _ in 0..2 {
        script.push(401, &[("www-authenticate", challenge)], "");
        script.push(200, &[], r#"{"value":"hunter2","kid":"https://kv-signing.vault.azure.net/keys/k/1","key":{"kty":"EC","crv":"P-256","x":"AQ","y":"Ag"}}"#);
        if script
            .asked()
            .iter()
            .any(|asked| asked.url.contains("/secrets/"))
        {
            vault.public_key(&segment("custody"), None).await.unwrap();
        } else {
            let secret = vault
                .secret(&segment("token"), Some(&segment("1")))
                .await
                .unwrap();
            assert_eq!(secret.expose(), "hunter2");
        }
    }
    script.push(
        200,
        &[],
        r#"{"value":"c2ln","kid":"https://kv-signing.vault.azure.net/keys/custody/1"}"#,
    );
    let version = segment("1");
    let signed = vault
        .sign(
            &segment("custody"),
            Some(&version),
            Algorithm::Es256,
            &[7; 32],
        )
        .await;
    assert_eq!(signed.unwrap().bytes, b"sig");
    script.push(200, &[], r#"{"value":true}"#);
    let good = vault
        .verify(
            &segment("custody"),
            &version,
            Algorithm::Es256,
            &[7; 32],
            b"sig",
        )
        .await;
    assert!(good.unwrap());
}

fn factory_id() -> ResourceId {
    let id = "/subscriptions/11/resourceGroups/rg/providers/Microsoft.DataFactory/factories/adf";
    ResourceId::try_from(id).unwrap()
}

async fn factory(world: &World) {
    let script = &world.script;
    let factory = world.door.factory(&factory_id()).unwrap();
    let span = Span {
        after: when("2026-11-23T00:00:00Z"),
        before: when("2026-11-24T00:00:00Z"),
    };
    script.push(200, &[], r#"{"runId":"run-1"}"#);
    let parameters = BTreeMap::from([("file".to_owned(), "samtools.deb".into())]);
    let run = factory
        .create_run(&segment("import"), &parameters)
        .await
        .unwrap();
    script.push(
        200,
        &[],
        r#"{"runId":"run-1","pipelineName":"import","status":"InProgress"}"#,
    );
    assert!(!factory.run(&run).await.unwrap().status.is_final());
    script.push(200, &[], r#"{"value":[],"continuationToken":"more"}"#);
    script.push(200, &[], r#"{"value":[]}"#);
    factory.runs(&segment("import"), span).await.unwrap();
    script.push(200, &[], r#"{"value":[{"activityName":"Copy","activityType":"Copy","status":"Succeeded","output":{"dataWritten":3}}]}"#);
    assert_eq!(
        factory.activities(&run, span).await.unwrap()[0].output["dataWritten"],
        3
    );
    script.push(200, &[], "");
    factory.cancel(&run).await.unwrap();
}

fn image_body() -> Image {
    Image {
        location: "westeurope".into(),
        tags: BTreeMap::from([("tre".into(), "a".into())]),
        properties: ImageProperties {
            architecture: "x64".into(),
            features: vec![Feature {
                name: "SecurityType".into(),
                value: "TrustedLaunchSupported".into(),
            }],
            hyper_v_generation: "V2".into(),
            identifier: Identifier {
                offer: "desktop".into(),
                publisher: "tre".into(),
                sku: "research".into(),
            },
            os_state: "Generalized".into(),
            os_type: "Linux".into(),
            ..ImageProperties::default()
        },
    }
}

fn version_body() -> Version {
    let region = |name: &str| TargetRegion {
        name: name.into(),
        regional_replica_count: Some(2),
        storage_account_type: Some("Standard_ZRS".into()),
        ..TargetRegion::default()
    };
    Version {
        location: "westeurope".into(),
        properties: VersionProperties {
            publishing_profile: PublishingProfile {
                end_of_life_date: Some("2027-11-23T00:00:00Z".into()),
                exclude_from_latest: Some(true),
                target_regions: vec![region("westeurope"), region("northeurope")],
                ..PublishingProfile::default()
            },
            safety_profile: Some(SafetyProfile {
                block_deletion_before_end_of_life: Some(true),
                ..SafetyProfile::default()
            }),
            storage_profile: VersionStorage {
                os_disk_image: Some(DiskImage {
                    host_caching: Some("ReadOnly".into()),
                    source: Source {
                        uri: Some("https://stimages.blob.core.windows.net/vhds/a.vhd".into()),
                        storage_account_id: Some("/subscriptions/11/x".into()),
                        ..Source::default()
                    },
                }),
                source: None,
            },
            ..VersionProperties::default()
        },
        ..Version::default()
    }
}

async fn gallery(world: &World) {
    let script = &world.script;
    let id = "/subscriptions/11/resourceGroups/rg/providers/Microsoft.Compute/galleries/tre";
    let gallery = world
        .door
        .gallery(&ResourceId::try_from(id).unwrap())
        .unwrap();
    let (image, version) = (segment("desktop"), segment("1.2.3"));
    let (image_body, version_body) = (image_body(), version_body());
    let answer = r#"{"location":"westeurope","properties":{"provisioningState":"Succeeded"}}"#;

    script.push(200, &[], answer);
    gallery.image(&image).await.unwrap();
    script.push(200, &[], answer);
    gallery.put_image(&image, &image_body).await.unwrap();
    script.push(200, &[], answer);
    let patch = Patch {
        tags: None,
        properties: Some(ImageProperties::default()),
    };
    gallery.patch_image(&image, &patch).await.unwrap();
    script.push(
        200,
        &[],
        format!(r#"{{"value":[{answer}],"nextLink":null}}"#),
    );
    assert_eq!(gallery.versions(&image).await.unwrap().len(), 1);
    script.push(200, &[], answer);
    gallery.version(&image, &version).await.unwrap();
    script.push(200, &[], answer);
    let patch = Patch {
        tags: None,
        properties: Some(VersionProperties {
            publishing_profile: PublishingProfile {
                exclude_from_latest: Some(false),
                ..PublishingProfile::default()
            },
            ..VersionProperties::default()
        }),
    };
    gallery
        .patch_version(&image, &version, &patch)
        .await
        .unwrap();
    script.push(204, &[], "");
    gallery.delete_version(&image, &version).await.unwrap();
    script.push(204, &[], "");
    gallery.delete_image(&image).await.unwrap();

    let operation =
        "https://management.azure.com/subscriptions/11/operations/op-1?api-version=2025-03-03";
    script.push(201, &[("azure-asyncoperation", operation)], answer);
    script.push(200, &[], r#"{"status":"Succeeded"}"#);
    script.push(200, &[], answer);
    let put = gallery
        .put_version(&image, &version, &version_body)
        .await
        .unwrap();
    assert_eq!(put.link(), Some(operation));
    put.wait(Duration::from_mins(1), |_| {}).await.unwrap();
}

async fn ingestion(world: &World) {
    let endpoint =
        Endpoint::try_from("https://dce.westeurope-1.ingest.monitor.azure.com".to_owned());
    let stream = segment("Custom-TreCompliance_CL");
    let ingestion = world
        .door
        .ingestion(&endpoint.unwrap(), &segment("dcr-0123"), &stream)
        .unwrap();
    world.script.push(204, &[], "");
    let sent = ingestion
        .send(&[serde_json::json!({"RuleId": "KRN-004"})])
        .await
        .unwrap();
    assert_eq!((sent.rows, sent.batches), (1, 1));
}

async fn metadata() -> Vec<Asked> {
    let script = Arc::new(Script::new());
    let link: Arc<dyn azure_core::http::HttpClient> = script.clone();
    let metadata = Metadata::over(&link);
    script.push(
        200,
        &[],
        r#"{"compute":{"vmId":"v-1","tagsList":[{"name":"tre","value":"a"}]}}"#,
    );
    assert_eq!(
        metadata.instance().await.unwrap().compute.tag("tre"),
        Some("a")
    );
    script.push(200, &[], r#"{"encoding":"pkcs7","signature":"MIIB"}"#);
    metadata.attested(&Nonce::new(42)).await.unwrap();
    script.push(
        200,
        &[],
        r#"{"access_token":"t","expires_on":"4102444800","token_type":"Bearer","resource":"r"}"#,
    );
    let identity = Identity::User {
        client_id: "11".into(),
    };
    let managed = azure::fake::managed(&identity, script.clone());
    managed
        .get_token(&["https://storage.azure.com/.default"], None)
        .await
        .unwrap();
    script.asked()
}

/// Says whether a request is of the kind that a line of the table describes.
fn fits(call: &Call, asked: &Asked) -> bool {
    let url = azure_core::http::Url::parse(&asked.url).unwrap();
    let (path, query) = call.path.split_once('?').unwrap_or((call.path, ""));
    let pairs: BTreeMap<String, String> = url
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .all(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            pairs
                .get(name)
                .is_some_and(|found| value.starts_with('{') || found == value)
        });
    // What distinguishes kinds of requests to storage.
    let comp = |name: &str| call.path.contains(&format!("{name}=")) || !pairs.contains_key(name);
    let version = match call.service {
        Service::Blob => asked
            .headers
            .get("x-ms-version")
            .is_some_and(|found| found == call.version),
        _ => {
            call.version == "as given"
                || pairs
                    .get("api-version")
                    .is_some_and(|found| found == call.version)
        }
    };
    let host = url.host_str().unwrap();
    let service = match call.service {
        Service::Blob => host.ends_with(".blob.core.windows.net"),
        Service::Ingestion => host.ends_with(".ingest.monitor.azure.com"),
        Service::Metadata => host == "169.254.169.254",
        Service::ResourceManager => host == "management.azure.com",
        Service::Vault => host.ends_with(".vault.azure.net"),
    };
    service
        && asked.method == call.method
        && shape(path, url.path())
        && query
        && comp("comp")
        && comp("restype")
        && version
}

/// Compares a path with a pattern in which `{…}` stands for one segment, and first for as many as it takes.
fn shape(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    if pattern.first().is_some_and(|first| first.starts_with('{')) {
        if pattern.len() > 1 && path.len() < pattern.len() {
            return false;
        }
        let rest = pattern.len() - 1;
        pattern.remove(0);
        path = path.split_off(path.len() - rest);
    }
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(pattern, part)| pattern.starts_with('{') || pattern == part)
}

#[tokio::test]
async fn every_request_is_in_the_table_and_every_line_of_the_table_is_sent() {
    let mut all = metadata().await;
    let mut sent = vec![("metadata", all.clone())];
    let world = world();
    storage(&world).await;
    sent.push(("storage", take(&world, &mut all)));
    vault(&world).await;
    sent.push(("vault", take(&world, &mut all)));
    factory(&world).await;
    sent.push(("factory", take(&world, &mut all)));
    gallery(&world).await;
    sent.push(("gallery", take(&world, &mut all)));
    ingestion(&world).await;
    sent.push(("ingestion", take(&world, &mut all)));

    for asked in &all {
        let fitting = call::all().iter().any(|call| fits(call, asked));
        assert!(fitting, "no line of the table is like {}", asked.line());
    }
    for call in call::all() {
        let fitting = all.iter().any(|asked| fits(&call, asked));
        assert!(
            fitting,
            "nothing was sent that is like {} {}",
            call.method, call.path
        );
    }
    for (service, asked) in sent {
        let text: Vec<String> = asked.iter().map(text).collect();
        insta::assert_snapshot!(service, text.join("\n\n---\n\n"));
    }

    let scopes = world.scopes.0.lock().unwrap();
    for service in call::all().iter().filter_map(|call| call.service.scope()) {
        assert!(
            scopes.iter().any(|scope| scope == service),
            "no token was asked for {service}"
        );
    }
}

/// What was sent since the last time.
fn take(world: &World, all: &mut Vec<Asked>) -> Vec<Asked> {
    let asked = world.script.asked();
    let known = all
        .iter()
        .filter(|asked| !asked.url.contains("169.254.169.254"))
        .count();
    let new = asked[known..].to_vec();
    all.extend(new.clone());
    new
}

/// A whole request, with a compressed body in clear.
fn text(asked: &Asked) -> String {
    let mut asked = asked.clone();
    if asked
        .headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip")
    {
        let mut clear = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*asked.body), &mut clear)
            .unwrap();
        asked.body = clear.into();
    }
    asked.text()
}

#[test]
fn the_document_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/azure.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        "<!-- requests: written by `make bless` -->\n",
        "<!-- end of requests -->\n",
    );
    let (before, rest) = text.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    let expected = table();
    if std::env::var_os("BLESS").is_some() && found != expected {
        #[expect(
            clippy::disallowed_methods,
            reason = "a document of this repository, in a test"
        )]
        std::fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(found, expected, "run `make bless`");
}

fn table() -> String {
    let mut table = String::new();
    let mut service = None;
    for call in call::all() {
        if service != Some(call.service) {
            let scope = call.service.scope().map_or("no token".to_owned(), |scope| {
                format!("token for `{scope}`")
            });
            write!(table, "\n### {}\n\n{scope}\n\n", call.service.name()).unwrap();
            table.push_str(
                "| request | version | action | least built-in role |\n|---|---|---|---|\n",
            );
            service = Some(call.service);
        }
        let action = if call.action.starts_with("Microsoft.") {
            format!("`{}`", call.action)
        } else {
            call.action.to_owned()
        };
        writeln!(
            table,
            "| `{} {}` | {} | {action} | {} |",
            call.method, call.path, call.version, call.role
        )
        .unwrap();
    }
    table.push('\n');
    table
}

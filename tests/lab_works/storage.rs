//! Blob storage.

use tests::lab::Lab;
use tests::lab::metadata::system;
use tests::lab::names::Answers;
use tests::lab::site::fault::Fault;
use tests::lab::storage::{Lockdown, endpoint};
use tests::lab::token::{Identity, mint};

use crate::curl::{Reply, ask_as, ask_with};

const AUDIENCE: &str = "https://storage.azure.com";

fn put(lab: &Lab, account: &str, path: &str, more: &[&str]) -> Reply {
    let url = format!("{}/{path}", endpoint(account));
    let blob = [
        "--request",
        "PUT",
        "--header",
        "x-ms-blob-type: BlockBlob",
        "--data-binary",
        "hello",
        &url,
    ];
    ask_as(lab, AUDIENCE, &[&blob, more].concat())
}

fn get(lab: &Lab, account: &str, path: &str) -> Reply {
    ask_as(lab, AUDIENCE, &[&format!("{}/{path}", endpoint(account))])
}

#[test]
fn what_the_secure_account_takes_is_immutable() {
    let Some(lab) = super::lab() else { return };
    let written = put(&lab, "stsecure", "import/worm", &[]);
    assert_eq!(written.status, 201, "{written:?}");
    let version = written.header("x-ms-version-id").to_owned();
    assert!(version.ends_with('Z'), "{written:?}");

    let found = get(&lab, "stsecure", "import/worm");
    assert_eq!(found.body, "hello");
    assert_eq!(found.header("x-ms-version-id"), version);
    assert_eq!(found.header("x-ms-immutability-policy-mode"), "locked");
    assert!(
        found
            .header("x-ms-immutability-policy-until-date")
            .ends_with("GMT"),
        "{found:?}"
    );
    assert_eq!(
        get(
            &lab,
            "stsecure",
            &format!("import/worm?versionid={version}")
        )
        .status,
        200
    );
    assert_eq!(
        get(
            &lab,
            "stsecure",
            "import/worm?versionid=2020-01-01T00:00:00.0000000Z"
        )
        .status,
        404
    );

    assert_eq!(
        put(&lab, "stsecure", "import/worm", &[]).code(),
        "BlobImmutableDueToPolicy"
    );
    let url = format!("{}/import/worm", endpoint("stsecure"));
    let deleted = ask_as(&lab, AUDIENCE, &["--request", "DELETE", &url]);
    assert_eq!(
        (deleted.status, deleted.code()),
        (409, "BlobImmutableDueToPolicy")
    );
    let lifted = ask_as(
        &lab,
        AUDIENCE,
        &[
            "--request",
            "DELETE",
            &format!("{url}?comp=immutabilityPolicies"),
        ],
    );
    assert_eq!(lifted.status, 409);
    let again = put(
        &lab,
        "stsecure",
        "import/worm",
        &["--header", "If-None-Match: *"],
    );
    assert_eq!((again.status, again.code()), (409, "BlobAlreadyExists"));
    let container = get(&lab, "stsecure", "import?restype=container");
    assert_eq!(container.header("x-ms-has-immutability-policy"), "true");
    let listing = get(
        &lab,
        "stsecure",
        "import?restype=container&comp=list&include=versions,immutabilitypolicy",
    );
    assert!(
        listing
            .body
            .contains(&format!("<VersionId>{version}</VersionId>")),
        "{}",
        listing.body
    );
}

#[test]
fn version_and_immutability_are_missing_on_demand() {
    let Some(lab) = super::lab() else { return };
    lab.secure.lockdown(Lockdown::NONE);
    assert_eq!(
        put(&lab, "stsecure", "import/plain", &[]).header("x-ms-version-id"),
        ""
    );
    let found = get(&lab, "stsecure", "import/plain");
    assert_eq!(found.header("x-ms-immutability-policy-until-date"), "");
    assert_eq!(put(&lab, "stsecure", "import/plain", &[]).status, 201);
}

#[test]
fn refusals_tell_firewall_from_role_from_token() {
    let Some(lab) = super::lab() else { return };
    put(&lab, "stsecure", "import/refusals", &[]);
    let url = format!("{}/import/refusals", endpoint("stsecure"));
    let code = |token: &str| {
        let reply = ask_with(&lab, token, &[&url]);
        (reply.status, reply.code().to_owned())
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());

    assert_eq!(
        code(&mint(&system(), AUDIENCE, -10)),
        refused(401, "InvalidAuthenticationInfo")
    );
    assert_eq!(
        code(&mint(&system(), "https://example.org", 60)),
        refused(401, "InvalidAuthenticationInfo")
    );
    assert_eq!(code("nonsense"), refused(401, "InvalidAuthenticationInfo"));
    let stranger = Identity::numbered(77, "");
    lab.secure.forbid(&stranger);
    let mismatch = refused(403, "AuthorizationPermissionMismatch");
    assert_eq!(code(&mint(&stranger, AUDIENCE, 60)), mismatch);
    lab.names.answer(Answers::Public).unwrap();
    assert_eq!(
        code(&mint(&system(), AUDIENCE, 60)),
        refused(403, "AuthorizationFailure")
    );
}

#[test]
fn an_answer_is_lost_after_the_deed() {
    let Some(lab) = super::lab() else { return };
    lab.landing
        .site
        .fail(Fault::lost(None).with("PUT /landing/lost").times(1));
    assert_eq!(put(&lab, "stlanding", "landing/lost", &[]).status, 0);
    assert_eq!(get(&lab, "stlanding", "landing/lost").body, "hello");
    lab.landing
        .site
        .fail(Fault::status(503, "ServerBusy").times(1));
    assert_eq!(get(&lab, "stlanding", "landing/lost").code(), "ServerBusy");
}

#[test]
fn requests_are_recorded_without_their_token() {
    let Some(lab) = super::lab() else { return };
    put(
        &lab,
        "stlanding",
        "landing/recorded%20name",
        &["--header", "x-ms-meta-sha256: abc"],
    );
    let asked = lab.landing.site.asked();
    let [asked] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(asked.line(), "PUT /landing/recorded%20name");
    assert_eq!(asked.headers["x-ms-meta-sha256"], "abc");
    assert_eq!(asked.headers["authorization"], "Bearer …");
    assert_eq!(asked.answered, Some(201));
}

#[test]
fn blocks_are_committed_with_their_metadata() {
    let Some(lab) = super::lab() else { return };
    let url = format!("{}/landing/blocks", endpoint("stlanding"));
    let block = format!("{url}?comp=block&blockid=MDAwMQ==");
    assert_eq!(
        ask_as(
            &lab,
            AUDIENCE,
            &["--request", "PUT", "--data-binary", "part", &block]
        )
        .status,
        201
    );
    let list = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>MDAwMQ==</Latest></BlockList>";
    let commit = [
        "--request",
        "PUT",
        "--header",
        "x-ms-meta-sha256: 1",
        "--data-binary",
        list,
    ];
    let listed = format!("{url}?comp=blocklist");
    let commit = [&commit[..], &[&listed]].concat();
    assert_eq!(ask_as(&lab, AUDIENCE, &commit).status, 201);
    let found = get(&lab, "stlanding", "landing/blocks");
    assert_eq!(
        (found.body.as_str(), found.header("x-ms-meta-sha256")),
        ("part", "1")
    );
    assert!(
        lab.landing
            .created()
            .iter()
            .any(|created| created.name == "blocks")
    );
}

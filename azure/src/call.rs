//! Every request that is ever sent to Azure: one table, which the clients send by and `docs/azure.md` shows.

/// A kind of request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// What it does, to be read after "failed to".
    pub deed: &'static str,
    /// Who is asked.
    pub service: Service,
    /// The method.
    pub method: &'static str,
    /// Path and query; `{…}` stands for what varies.
    pub path: &'static str,
    /// The version of the protocol.
    pub version: &'static str,
    /// The action that the identity must be allowed.
    pub action: &'static str,
    /// The least built-in role that allows it.
    pub role: &'static str,
}

impl Call {
    /// Path and query with what varies put in, in order.
    pub(crate) fn fill(&self, parts: &[&str]) -> String {
        let mut parts = parts.iter();
        let mut filled = String::new();
        for (at, piece) in self.path.split('{').enumerate() {
            if at == 0 {
                filled.push_str(piece);
                continue;
            }
            filled.push_str(parts.next().copied().unwrap_or_default());
            filled.push_str(piece.split_once('}').map_or("", |(_, rest)| rest));
        }
        filled
    }
}

/// A service of Azure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Blob storage.
    Blob,
    /// Log ingestion of Azure Monitor.
    Ingestion,
    /// The instance metadata service of the VM.
    Metadata,
    /// Azure Resource Manager.
    ResourceManager,
    /// Key Vault.
    Vault,
}

impl Service {
    /// The service in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blob => "Blob storage",
            Self::Ingestion => "Log ingestion",
            Self::Metadata => "Instance metadata",
            Self::ResourceManager => "Resource Manager",
            Self::Vault => "Key Vault",
        }
    }

    /// Whom a token for it is for, in the public cloud; none where no token is sent.
    #[must_use]
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Blob => Some("https://storage.azure.com/.default"),
            Self::Ingestion => Some("https://monitor.azure.com/.default"),
            Self::Metadata => None,
            Self::ResourceManager => Some("https://management.azure.com/.default"),
            Self::Vault => Some("https://vault.azure.net/.default"),
        }
    }
}

/// Requests to blob storage.
pub mod blob {
    use super::{Call, Service};

    const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    const WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";
    const DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete";
    const CONTAINER: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
    const READER: &str = "Storage Blob Data Reader";
    const CONTRIBUTOR: &str = "Storage Blob Data Contributor";
    /// The version that the SDK speaks unless the setting says otherwise.
    const VERSION: &str = "2026-04-06";

    const fn call(
        deed: &'static str,
        method: &'static str,
        path: &'static str,
        action: &'static str,
        role: &'static str,
    ) -> Call {
        Call {
            deed,
            service: Service::Blob,
            method,
            path,
            version: VERSION,
            action,
            role,
        }
    }

    /// Makes one blob of staged blocks.
    pub const COMMIT: Call = call(
        "commit the blocks of",
        "PUT",
        "/{container}/{blob}?comp=blocklist",
        WRITE,
        CONTRIBUTOR,
    );
    /// Reads what holds for a container.
    pub const CONTAINER_PROPERTIES: Call = call(
        "read the properties of",
        "GET",
        "/{container}?restype=container",
        CONTAINER,
        READER,
    );
    /// Deletes a blob.
    pub const REMOVE: Call = call(
        "delete",
        "DELETE",
        "/{container}/{blob}",
        DELETE,
        CONTRIBUTOR,
    );
    /// Makes a blob immutable until a day.
    pub const IMMUTABLE: Call = call(
        "make immutable",
        "PUT",
        "/{container}/{blob}?comp=immutabilityPolicies",
        WRITE,
        CONTRIBUTOR,
    );
    /// Puts a blob under legal hold, or ends that.
    pub const LEGAL_HOLD: Call = call(
        "set the legal hold of",
        "PUT",
        "/{container}/{blob}?comp=legalhold",
        WRITE,
        CONTRIBUTOR,
    );
    /// Lists blobs, page by page.
    pub const LIST: Call = call(
        "list the blobs of",
        "GET",
        "/{container}?restype=container&comp=list",
        READ,
        READER,
    );
    /// Reads what holds for a blob.
    pub const PROPERTIES: Call = call(
        "read the properties of",
        "HEAD",
        "/{container}/{blob}",
        READ,
        READER,
    );
    /// Reads a range of a blob.
    pub const READ_RANGE: Call = call("read", "GET", "/{container}/{blob}", READ, READER);
    /// Stages a block.
    pub const STAGE: Call = call(
        "upload a block of",
        "PUT",
        "/{container}/{blob}?comp=block&blockid={block}",
        WRITE,
        CONTRIBUTOR,
    );
    /// Lists the blocks that are staged.
    pub const STAGED: Call = call(
        "list the staged blocks of",
        "GET",
        "/{container}/{blob}?comp=blocklist&blocklisttype=uncommitted",
        READ,
        READER,
    );

    /// All of them.
    pub const ALL: [Call; 10] = [
        COMMIT,
        CONTAINER_PROPERTIES,
        IMMUTABLE,
        LEGAL_HOLD,
        LIST,
        PROPERTIES,
        READ_RANGE,
        REMOVE,
        STAGE,
        STAGED,
    ];
}

/// Requests to a data factory.
pub mod datafactory {
    use super::{Call, Service};

    const fn call(
        deed: &'static str,
        method: &'static str,
        path: &'static str,
        action: &'static str,
    ) -> Call {
        Call {
            deed,
            service: Service::ResourceManager,
            method,
            path,
            version: "2018-06-01",
            action,
            role: "Data Factory Contributor",
        }
    }

    /// Lists what the activities of a run did.
    pub const ACTIVITY_RUNS: Call = call(
        "list the activities of run",
        "POST",
        "{factory}/pipelineruns/{run}/queryActivityruns",
        "Microsoft.DataFactory/factories/pipelineruns/queryactivityruns/action",
    );
    /// Ends a run.
    pub const CANCEL: Call = call(
        "cancel run",
        "POST",
        "{factory}/pipelineruns/{run}/cancel?isRecursive={recursive}",
        "Microsoft.DataFactory/factories/pipelineruns/cancel/action",
    );
    /// Starts a run.
    pub const CREATE_RUN: Call = call(
        "start pipeline",
        "POST",
        "{factory}/pipelines/{pipeline}/createRun",
        "Microsoft.DataFactory/factories/pipelines/createrun/action",
    );
    /// Says how a run is.
    pub const RUN: Call = call(
        "look at run",
        "GET",
        "{factory}/pipelineruns/{run}",
        "Microsoft.DataFactory/factories/pipelineruns/read",
    );
    /// Lists runs of a time.
    pub const RUNS: Call = call(
        "list the runs of",
        "POST",
        "{factory}/queryPipelineRuns",
        "Microsoft.DataFactory/factories/querypipelineruns/action",
    );

    /// All of them.
    pub const ALL: [Call; 5] = [ACTIVITY_RUNS, CANCEL, CREATE_RUN, RUN, RUNS];
}

/// Requests to a compute gallery.
pub mod gallery {
    use super::{Call, Service};

    const fn call(
        deed: &'static str,
        method: &'static str,
        path: &'static str,
        action: &'static str,
    ) -> Call {
        Call {
            deed,
            service: Service::ResourceManager,
            method,
            path,
            version: "2025-03-03",
            action,
            role: "Compute Gallery Artifacts Publisher",
        }
    }

    const IMAGE: &str = "{gallery}/images/{image}";
    const VERSION: &str = "{gallery}/images/{image}/versions/{version}";
    const WRITE_IMAGE: &str = "Microsoft.Compute/galleries/images/write";
    const WRITE_VERSION: &str = "Microsoft.Compute/galleries/images/versions/write";

    /// Deletes an image definition.
    pub const DELETE_IMAGE: Call = call(
        "delete image definition",
        "DELETE",
        IMAGE,
        "Microsoft.Compute/galleries/images/delete",
    );
    /// Deletes an image version.
    pub const DELETE_VERSION: Call = call(
        "delete image version",
        "DELETE",
        VERSION,
        "Microsoft.Compute/galleries/images/versions/delete",
    );
    /// Reads an image definition.
    pub const IMAGE_DEFINITION: Call = call(
        "read image definition",
        "GET",
        IMAGE,
        "Microsoft.Compute/galleries/images/read",
    );
    /// Reads an image version and how far its replication is.
    pub const IMAGE_VERSION: Call = call(
        "read image version",
        "GET",
        "{gallery}/images/{image}/versions/{version}?$expand=ReplicationStatus",
        "Microsoft.Compute/galleries/images/versions/read",
    );
    /// Lists the versions of an image.
    pub const IMAGE_VERSIONS: Call = call(
        "list the versions of",
        "GET",
        "{gallery}/images/{image}/versions",
        "Microsoft.Compute/galleries/images/versions/read",
    );
    /// Changes an image definition.
    pub const PATCH_IMAGE: Call = call("change image definition", "PATCH", IMAGE, WRITE_IMAGE);
    /// Changes an image version.
    pub const PATCH_VERSION: Call = call("change image version", "PATCH", VERSION, WRITE_VERSION);
    /// Makes an image definition.
    pub const PUT_IMAGE: Call = call("put image definition", "PUT", IMAGE, WRITE_IMAGE);
    /// Makes an image version.
    pub const PUT_VERSION: Call = call("put image version", "PUT", VERSION, WRITE_VERSION);

    /// All of them.
    pub const ALL: [Call; 9] = [
        DELETE_IMAGE,
        DELETE_VERSION,
        IMAGE_DEFINITION,
        IMAGE_VERSION,
        IMAGE_VERSIONS,
        PATCH_IMAGE,
        PATCH_VERSION,
        PUT_IMAGE,
        PUT_VERSION,
    ];
}

/// Requests to log ingestion.
pub mod ingestion {
    use super::{Call, Service};

    /// Sends rows to a table.
    pub const SEND: Call = Call {
        deed: "send rows to",
        service: Service::Ingestion,
        method: "POST",
        path: "/dataCollectionRules/{rule}/streams/{stream}",
        version: "2023-01-01",
        action: "Microsoft.Insights/Telemetry/Write",
        role: "Monitoring Metrics Publisher",
    };
}

/// Requests to the instance metadata service.
pub mod metadata {
    use super::{Call, Service};

    const fn call(deed: &'static str, path: &'static str, version: &'static str) -> Call {
        Call {
            deed,
            service: Service::Metadata,
            method: "GET",
            path,
            version,
            action: "–",
            role: "–",
        }
    }

    /// Fetches the attested document.
    pub const ATTESTED: Call = call(
        "fetch the attested document from",
        "/metadata/attested/document?nonce={nonce}",
        "2025-04-07",
    );
    /// Reads what Azure knows about the VM.
    pub const INSTANCE: Call = call(
        "read the instance metadata from",
        "/metadata/instance",
        "2025-04-07",
    );
    /// Fetches a token for a managed identity.
    pub const TOKEN: Call = call(
        "fetch a token from",
        "/metadata/identity/oauth2/token?resource={resource}&client_id={client}",
        "2019-08-01",
    );

    /// All of them.
    pub const ALL: [Call; 3] = [ATTESTED, INSTANCE, TOKEN];
}

/// Requests that follow a long-running operation of Resource Manager.
pub mod operation {
    use super::{Call, Service};

    /// Asks how an operation is. The service names the address; it must be on the same host.
    pub const POLL: Call = Call {
        deed: "follow the operation at",
        service: Service::ResourceManager,
        method: "GET",
        path: "{operation}",
        version: "as given",
        action: "that of the request which began it",
        role: "that of the request which began it",
    };
}

/// Requests to a key vault.
pub mod vault {
    use super::{Call, Service};

    const fn call(
        deed: &'static str,
        method: &'static str,
        path: &'static str,
        action: &'static str,
        role: &'static str,
    ) -> Call {
        Call {
            deed,
            service: Service::Vault,
            method,
            path,
            version: "2025-07-01",
            action,
            role,
        }
    }

    /// Reads the public half of a key.
    pub const KEY: Call = call(
        "read the public key of",
        "GET",
        "/keys/{key}/{version}",
        "Microsoft.KeyVault/vaults/keys/read",
        "Key Vault Reader",
    );
    /// Reads a secret.
    pub const SECRET: Call = call(
        "read secret",
        "GET",
        "/secrets/{secret}/{version}",
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Key Vault Secrets User",
    );
    /// Signs a digest.
    pub const SIGN: Call = call(
        "sign with key",
        "POST",
        "/keys/{key}/{version}/sign",
        "Microsoft.KeyVault/vaults/keys/sign/action",
        "Key Vault Crypto User",
    );
    /// Checks a signature of a digest.
    pub const VERIFY: Call = call(
        "verify with key",
        "POST",
        "/keys/{key}/{version}/verify",
        "Microsoft.KeyVault/vaults/keys/verify/action",
        "Key Vault Crypto User",
    );

    /// All of them.
    pub const ALL: [Call; 4] = [KEY, SECRET, SIGN, VERIFY];
}

/// Every kind of request that is sent, service by service.
#[must_use]
pub fn all() -> Vec<Call> {
    let mut all = metadata::ALL.to_vec();
    all.extend(blob::ALL);
    all.extend(vault::ALL);
    all.extend(datafactory::ALL);
    all.extend(gallery::ALL);
    all.push(operation::POLL);
    all.push(ingestion::SEND);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_put_in_in_order() {
        assert_eq!(
            datafactory::CANCEL.fill(&["/f", "r-1", "true"]),
            "/f/pipelineruns/r-1/cancel?isRecursive=true"
        );
        assert_eq!(metadata::INSTANCE.fill(&[]), "/metadata/instance");
    }
}

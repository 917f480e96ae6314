//! The lab's own certificate authority, and what it signs.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::network::addresses;

/// The names under which the lab answers.
const NAMES: [&str; 9] = [
    "*.blob.core.windows.net",
    "*.blob.core.usgovcloudapi.net",
    "*.blob.core.chinacloudapi.cn",
    "*.vault.azure.net",
    "*.westeurope-1.ingest.monitor.azure.com",
    "management.azure.com",
    "management.usgovcloudapi.net",
    "login.microsoftonline.com",
    "localhost",
];

/// The certificate authority of one run, with everything it signed, in one folder.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes the authority, the servers' certificate and the signer of attested documents.
    pub fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let certificates = Self {
            folder: folder.to_path_buf(),
        };
        let key = KeyPair::generate()?;
        let mut authority = named("Lab authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = authority.self_signed(&key)?;
        fs::write(certificates.authority(), certificate.pem())?;
        let issuer = Issuer::new(authority, key);

        let mut server = named("Lab");
        for name in NAMES {
            server
                .subject_alt_names
                .push(SanType::DnsName(name.try_into()?));
        }
        let loopback = std::iter::once(IpAddr::from([127, 0, 0, 1]));
        let all = addresses::ALL.into_iter().map(IpAddr::from);
        server
            .subject_alt_names
            .extend(loopback.chain(all).map(SanType::IpAddress));
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        certificates.sign("server", &server, &issuer)?;

        let mut signer = named("metadata.azure.com");
        signer
            .subject_alt_names
            .push(SanType::DnsName("metadata.azure.com".try_into()?));
        signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        certificates.sign("metadata", &signer, &issuer)?;
        Ok(certificates)
    }

    fn sign(
        &self,
        name: &str,
        params: &CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        fs::write(self.certificate(name), certificate.pem())?;
        fs::write(self.key(name), key.serialize_pem())?;
        Ok(())
    }

    /// The authority's certificate, PEM: what a client must trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// A certificate it signed: `server` or `metadata`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The key of that certificate.
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// How the stand-ins speak TLS.
    pub fn server(&self) -> Result<Arc<ServerConfig>> {
        let chain = vec![CertificateDer::from_pem_file(self.certificate("server"))?];
        let key = PrivateKeyDer::from_pem_file(self.key("server"))?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }

    /// How the stand-ins call each other.
    pub fn client(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.authority()).context("read the authority")?)?;
        Ok(ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

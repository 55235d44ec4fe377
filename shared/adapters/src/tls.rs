//! Whom we trust: the web's certificate authorities, compiled in (reading the machine's costs tens
//! of milliseconds at start), and those that the deployment adds.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The certificates that were to be trusted cannot be.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not PEM.
    #[error("TRUSTED_CA_PEM is not a list of PEM certificates")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// Not a certificate, or not one of an authority.
    #[error("TRUSTED_CA_PEM holds a certificate that cannot be trusted")]
    Certificate(#[source] rustls::Error),
}

/// A TLS client for version 1.2 or newer that trusts the web's authorities and those of
/// `extra_pem`.
///
/// # Errors
/// `extra_pem` is not a list of certificates.
pub fn client_config(extra_pem: &str) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    // Parameters and environment variables are single lines to some tools.
    let pem = extra_pem.replace("\\n", "\n");
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots
            .add(certificate.map_err(TrustError::Pem)?)
            .map_err(TrustError::Certificate)?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Certificate)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

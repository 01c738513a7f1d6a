//! Talking to a registry: the distribution specification, and Docker's way of anonymous tokens.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::manifest::{Document, MAX_MANIFEST, MEDIA_TYPES};
use super::reference::Reference;
use crate::templates::digest::{Digest, DigestAlgorithm};
use crate::templates::provider::http::is_loopback;
use crate::templates::transfer::{Authorization, Remote, Transfer, TransferError, shown};

/// The largest answer with a token.
const MAX_TOKEN: u64 = 256 << 10;

/// A repository of a registry.
pub(super) struct Registry<'a> {
    reference: &'a Reference,
    transfer: &'a Transfer,
    token: Arc<Token>,
}

/// A manifest and what it is known by.
pub(super) struct Manifest {
    pub(super) digest: Digest,
    pub(super) content: Vec<u8>,
    pub(super) url: String,
}

impl<'a> Registry<'a> {
    pub(super) fn of(reference: &'a Reference, transfer: &'a Transfer) -> Self {
        let token = Token {
            transfer: transfer.clone(),
            scope: format!("repository:{}:pull", reference.repository()),
            local: reference.is_local(),
            value: Mutex::default(),
        };
        Self { reference, transfer, token: Arc::new(token) }
    }

    /// The manifest with that digest, or that of the tag. Its digest is computed, whatever the registry says.
    pub(super) fn manifest(&self, digest: Option<&Digest>) -> Result<Manifest, TransferError> {
        let name = digest.map_or(self.reference.tag().to_owned(), Digest::with_algorithm);
        let remote = self.remote(&format!("manifests/{name}"))?;
        let accept = HeaderValue::from_str(&MEDIA_TYPES.join(", "));
        let headers = accept.into_iter().map(|value| (ACCEPT, value)).collect();
        let content = self.transfer.document(&remote, &headers, "a manifest", MAX_MANIFEST)?;
        let algorithm = digest.map_or(DigestAlgorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, &content);
        Ok(Manifest { digest, content, url: remote.shown() })
    }

    /// Where a layer is.
    pub(super) fn blob(&self, digest: &Digest, size: u64) -> Result<Remote, TransferError> {
        Ok(self.remote(&format!("blobs/{}", digest.with_algorithm()))?.of_size(size))
    }

    fn remote(&self, path: &str) -> Result<Remote, TransferError> {
        let remote = Remote::parse(&format!("{}/{path}", self.reference.api()))?;
        Ok(remote.authorized(Arc::clone(&self.token) as Arc<dyn Authorization>))
    }
}

impl Manifest {
    /// What it says.
    pub(super) fn document(&self) -> Result<Document, TransferError> {
        serde_json::from_slice(&self.content).map_err(|_| TransferError::Answer {
            url: self.url.clone(),
            reason: "it is no manifest that is known here (neither OCI's nor Docker's version 2)"
                .to_owned(),
        })
    }
}

/// The permission to read a public repository, which the registry's token server gives to everybody.
#[derive(Debug)]
struct Token {
    transfer: Transfer,
    scope: String,
    local: bool,
    value: Mutex<Option<HeaderValue>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Authorization for Token {
    fn header(&self) -> Option<HeaderValue> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn renew(&self, headers: &HeaderMap) -> Result<bool, TransferError> {
        let mut challenges =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = challenges.find_map(Challenge::parse) else {
            return Ok(false);
        };
        let url = self.token_server(&challenge)?;
        let remote = Remote::from(url);
        let answer = self.transfer.document(&remote, &HeaderMap::new(), "a token", MAX_TOKEN)?;
        let answer: Option<TokenAnswer> = serde_json::from_slice(&answer).ok();
        let token = answer.and_then(|answer| answer.token.or(answer.access_token));
        let header = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let Some(mut header) = header else {
            let reason = "there is no token in it".to_owned();
            return Err(TransferError::Answer { url: remote.shown(), reason });
        };
        header.set_sensitive(true);
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        Ok(true)
    }
}

impl Token {
    fn token_server(&self, challenge: &Challenge) -> Result<Url, TransferError> {
        let mut url = Remote::parse(&challenge.realm)?.url().clone();
        let near = self.local && is_loopback(url.host_str().unwrap_or_default());
        if url.scheme() != "https" && !near {
            let registry = format!("the registry's token server for {}", self.scope);
            return Err(TransferError::Downgrade { url: registry, to: shown(&url) });
        }
        let scope = challenge.scope.as_ref().unwrap_or(&self.scope);
        url.query_pairs_mut().append_pair("scope", scope);
        if let Some(service) = &challenge.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        Ok(url)
    }
}

/// Where a registry says that a token is to be had.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn parse(header: &str) -> Option<Self> {
        let challenges = http_auth::parse_challenges(header).ok()?;
        let bearer = challenges.iter().find(|one| one.scheme.eq_ignore_ascii_case("bearer"))?;
        let parameter = |wanted: &str| {
            let found = bearer.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.to_unescaped())
        };
        Some(Self {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(local: bool) -> Token {
        let transfer = Transfer::shared();
        Token { transfer, scope: "repository:a:pull".into(), local, value: Mutex::default() }
    }

    #[test]
    fn a_challenge_leads_to_the_token_server() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::parse(header).unwrap();
        assert_eq!(challenge.scope.as_deref(), Some("repository:a/b:pull,push"));
        let url = token(false).token_server(&challenge).unwrap();
        assert_eq!(
            url.as_str(),
            "https://auth.docker.io/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&service=registry.docker.io"
        );
        assert_eq!(Challenge::parse(r#"Basic realm="x""#), None);
        assert_eq!(Challenge::parse("nonsense, =,"), None);
    }

    #[test]
    fn a_token_is_not_asked_for_in_the_clear() {
        let challenge = |realm: &str| Challenge { realm: realm.into(), service: None, scope: None };
        token(false).token_server(&challenge("http://auth.example.org/")).unwrap_err();
        token(false).token_server(&challenge("http://127.0.0.1:1/")).unwrap_err();
        token(true).token_server(&challenge("http://auth.example.org/")).unwrap_err();
        let url = token(true).token_server(&challenge("http://127.0.0.1:1/")).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/?scope=repository%3Aa%3Apull");
    }
}

//! A real registry (Debian's docker-registry) on a port of this machine, and pushing to it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lago::utils::HostCommand;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::fixture::sha256;
use crate::server::{Served, Server};

/// The program in Debian; elsewhere it is called `registry`.
const DEBIAN: &str = "/usr/bin/docker-registry";

/// How long the registry may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running registry. It ends when it is dropped.
pub(crate) struct Registry {
    child: Child,
    host: String,
}

/// What a registry is asked to demand before it gives anything out.
pub(crate) struct TokenServer {
    server: Server,
    certificate: PathBuf,
}

impl Registry {
    /// A registry that keeps its data below `dir` and gives everything to everybody.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &json!({}))
    }

    /// The same one, which wants tokens from now on.
    pub(crate) fn start_with_tokens(dir: &Path, tokens: &TokenServer) -> Self {
        let token = json!({
            "realm": tokens.server.url("token"),
            "service": "the registry",
            "issuer": "the test",
            "rootcertbundle": tokens.certificate,
        });
        Self::start_with(dir, &json!({ "token": token }))
    }

    fn start_with(dir: &Path, auth: &Value) -> Self {
        let config = json!({
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": dir.join("data")}},
            "http": {"addr": "127.0.0.1:0"},
            "auth": auth,
        });
        // JSON is YAML.
        let path = dir.join("config.yml");
        fs::write(&path, config.to_string()).unwrap();
        let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "registry" };
        let mut child = Command::new(program)
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is installed; `cargo xtask setup` installs it");
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        // Its pipe is read to its end, so that it never blocks.
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let host = loop {
            let line = lines.recv_timeout(START_LIMIT).expect("the registry listens");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ', ',']).next().unwrap().to_owned();
            }
        };
        Self { child, host }
    }

    /// Its host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Pushes a blob and returns its descriptor.
    pub(crate) fn push_blob(&self, repository: &str, media_type: &str, content: &[u8]) -> Value {
        let client = Client::new();
        let address = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let begun = client.post(address).send().unwrap().error_for_status().unwrap();
        let mut url = reqwest::Url::parse(begun.headers()["location"].to_str().unwrap()).unwrap();
        let digest = format!("sha256:{}", sha256(content));
        url.query_pairs_mut().append_pair("digest", &digest);
        client.put(url).body(content.to_owned()).send().unwrap().error_for_status().unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": content.len()})
    }

    /// Pushes a manifest under a tag, and returns its descriptor.
    pub(crate) fn push_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> Value {
        let media_type = manifest["mediaType"].as_str().unwrap();
        let text = manifest.to_string();
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.host);
        let request = Client::new().put(url).header("Content-Type", media_type).body(text.clone());
        request.send().unwrap().error_for_status().unwrap();
        let digest = format!("sha256:{}", sha256(text.as_bytes()));
        json!({"mediaType": media_type, "digest": digest, "size": text.len()})
    }

    /// Pushes an image with these layers, the lowest first.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, layers: &[Vec<u8>]) -> Value {
        let config = self.push_blob(repository, "application/vnd.oci.image.config.v1+json", b"{}");
        let layer = |content: &Vec<u8>| {
            self.push_blob(repository, "application/vnd.oci.image.layer.v1.tar+gzip", content)
        };
        let layers: Vec<Value> = layers.iter().map(layer).collect();
        self.push_manifest(repository, tag, &image_manifest(&config, &layers))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn image_manifest(config: &Value, layers: &[Value]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": layers,
    })
}

pub(crate) fn index(manifests: &[Value]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    })
}

/// A layer with these files.
pub(crate) fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o440);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

impl TokenServer {
    /// Gives everybody a token for reading `repository`, signed by a key that it makes in `dir`.
    pub(crate) fn start(dir: &Path, repository: &str) -> Self {
        let (key, certificate) = (dir.join("token.key"), dir.join("token.crt"));
        HostCommand::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=tokens",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .run()
            .unwrap();
        let server = Server::start();
        let token = token(&key, &certificate, repository);
        server.serve("token", Served::new(json!({ "token": token }).to_string()));
        Self { server, certificate }
    }

    /// The addresses by which tokens were asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.server.all_requests().into_iter().map(|request| request.path).collect()
    }
}

/// A JSON Web Token (RFC 7519) as the registry's documentation describes it.
fn token(key: &Path, certificate: &Path, repository: &str) -> String {
    let der =
        HostCommand::new("openssl").args(["x509", "-outform", "DER", "-in"]).arg(certificate).run();
    let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [base64(&der.unwrap().stdout)]});
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "the test", "sub": "", "aud": "the registry", "jti": "1",
        "nbf": now - 60, "iat": now - 60, "exp": now + 3600,
        "access": [{"type": "repository", "name": repository, "actions": ["pull"]}],
    });
    let signed = format!("{}.{}", url_safe(header.to_string()), url_safe(claims.to_string()));
    let sign = HostCommand::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(key);
    let signature = sign.stdin(signed.clone()).run().unwrap().stdout;
    format!("{signed}.{}", url_safe(signature))
}

fn base64(bytes: &[u8]) -> String {
    HostCommand::new("base64").arg("--wrap=0").stdin(bytes).run().unwrap().stdout_text()
}

fn url_safe(bytes: impl AsRef<[u8]>) -> String {
    base64(bytes.as_ref()).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

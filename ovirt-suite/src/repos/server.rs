//! A web server for the guests.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use lago::Prefix;
use lago::host::Host;
use tokio::runtime::{Builder, Runtime};
use tower_http::services::ServeDir;

use super::{RepoError, Result};

/// The port that guests find packages at, on the gateway of the management network. It is Lago's.
pub const REPO_PORT: u16 = 8585;

/// How many threads serve. They send files, which costs little.
const THREADS: usize = 2;

/// How long the end of a server waits for the reading of files, which nothing can interrupt.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// A directory as a web site on a network of an environment, for any number of guests at the same time. It ends when this is
/// dropped.
#[derive(Debug)]
pub struct RepoServer {
    address: SocketAddr,
    dir: PathBuf,
    runtime: Option<Runtime>,
}

impl RepoServer {
    /// Serves a directory on the management network of a prefix that is up, at [`REPO_PORT`] of its gateway.
    ///
    /// # Errors
    /// When the prefix is down, or somebody serves there already.
    pub fn on_management(prefix: &Prefix, dir: &Path) -> Result<Self> {
        Self::on_management_at(prefix, REPO_PORT, dir)
    }

    /// As [`on_management`](Self::on_management), at another port.
    pub fn on_management_at(prefix: &Prefix, port: u16, dir: &Path) -> Result<Self> {
        let network = prefix.networks().find(|network| network.is_management());
        let gateway = network.ok_or(RepoError::NoNetwork)?.gateway();
        Self::start(prefix.host(), SocketAddr::from((gateway, port)), dir)
    }

    /// Serves a directory at an address in a host's network. Port zero is any that is free.
    pub fn start(host: &Host, address: SocketAddr, dir: &Path) -> Result<Self> {
        Self::serve(host.listen(address)?, dir)
    }

    fn serve(listener: TcpListener, dir: &Path) -> Result<Self> {
        let failed =
            |source: io::Error| RepoError::Io { doing: "serve packages".to_owned(), source };
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("repo-server")
            .enable_io()
            .build()
            .map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        let site = Router::new().fallback_service(ServeDir::new(dir));
        runtime.spawn(async move {
            if let Err(error) = axum::serve(listener, site).await {
                tracing::error!("the server of packages has ended: {error}");
            }
        });
        Ok(Self { address, dir: dir.to_owned(), runtime: Some(runtime) })
    }

    /// Where guests find the directory.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What is served.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for RepoServer {
    /// Connections end at once, guests that are slow included, and the port is free when this returns.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    fn server(dir: &Path) -> RepoServer {
        RepoServer::serve(TcpListener::bind("127.0.0.1:0").unwrap(), dir).unwrap()
    }

    fn get(url: &str) -> (u16, String) {
        let response = reqwest::blocking::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(url)
            .send()
            .unwrap();
        (response.status().as_u16(), response.text().unwrap())
    }

    #[test]
    fn many_guests_are_served_at_once_and_nothing_outside_of_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("el9")).unwrap();
        fs::write(site.join("el9/a.rpm"), "package").unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        let server = server(&site);
        let url = server.url();
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    assert_eq!(get(&format!("{url}el9/a.rpm")), (200, "package".to_owned()));
                });
            }
        });
        assert_eq!(get(&format!("{url}el9/none.rpm")).0, 404);
        assert_eq!(get(&format!("{url}%2e%2e/secret")).0, 404);
        drop(server);
        assert!(std::net::TcpStream::connect(url[7..].trim_end_matches('/')).is_err());
    }
}

//! Repositories that are added: git repositories and manifests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lago::templates::{
    ManifestOrigin, RepositoryKind, TemplateRepos, find_repo_by_name, find_template,
    read_repositories,
};
use lago::utils::HostCommand;
use serde_json::json;

use crate::fixture::{Fixture, noise, sha256};
use crate::server::Server;

/// A git repository.
struct Git(PathBuf);

impl Git {
    fn new(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        let git = Self(path.to_owned());
        git.run(&["init", "--quiet", "--initial-branch=main"]);
        git
    }

    fn run(&self, args: &[&str]) {
        let command =
            HostCommand::new("git").args(["-c", "user.name=x", "-c", "user.email=x@example.org"]);
        command
            .args(args)
            .current_dir(&self.0)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .run()
            .unwrap();
    }

    fn commit(&self, file: &str, content: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self.run(&["add", "."]);
        self.run(&["commit", "--quiet", "-m", "x"]);
    }

    fn url(&self) -> String {
        format!("file://{}", self.0.display())
    }
}

fn manifest(name: &str, template: &str, root: &str) -> String {
    json!({
        "name": name,
        "sources": {"here": {"type": "file", "args": {"root": root}}},
        "templates": {template: {"versions": {
            "v1": {"source": "here", "handle": "disk.img", "timestamp": 1, "hash": sha256(b"a disk")},
        }}},
    })
    .to_string()
}

fn templates(repos: &TemplateRepos) -> Vec<String> {
    let manifests = repos.list().unwrap();
    manifests.into_iter().flat_map(|repository| repository.templates).collect()
}

#[test]
fn a_git_repository_is_added_updated_listed_and_removed() {
    let at = Fixture::new();
    let git = Git::new(&at.path().join("office-templates"));
    git.commit("images/disk.img", "a disk");
    git.commit("manifests/repo.json", &manifest("office", "one", "../images"));
    git.commit("package.json", r#"{"name": "something else"}"#);
    let repos = TemplateRepos::new(&at.path().join("repos"));
    // It leads out of the manifest's directory.
    let error = repos.add(&git.url(), None).unwrap_err().to_string();
    assert!(error.contains("leads out of the repository"), "{error}");
    assert_eq!(repos.list().unwrap(), []);

    git.commit("manifests/repo.json", &manifest("office", "one", "."));
    git.commit("manifests/disk.img", "a disk");
    let added = repos.add(&git.url(), None).unwrap();
    assert_eq!((added.name.as_str(), added.kind), ("office-templates", RepositoryKind::Git));
    assert_eq!(templates(&repos), ["one"]);
    let error = repos.add(&git.url(), None).unwrap_err().to_string();
    assert!(
        error.contains("already") && error.contains("template-repo remove office-templates"),
        "{error}"
    );

    git.commit("manifests/repo.json", &manifest("office", "two", "."));
    assert_eq!(templates(&repos), ["one"], "nothing changes by itself");
    assert!(
        repos.update(Some("office-templates")).unwrap().iter().all(|update| update.result.is_ok())
    );
    assert_eq!(templates(&repos), ["two"]);

    let left = fs::read_dir(repos.path()).unwrap().count();
    assert_eq!(left, 2, "the repository and the lock");
    repos.remove("office-templates").unwrap();
    assert_eq!(repos.list().unwrap(), []);
    let error = repos.remove("office-templates").unwrap_err().to_string();
    assert!(error.contains("there is no template repository `office-templates`"), "{error}");
}

#[test]
fn a_broken_update_leaves_what_there_was() {
    let at = Fixture::new();
    let git = Git::new(&at.path().join("git"));
    git.commit("disk.img", "a disk");
    git.commit("repo.json", &manifest("office", "one", "."));
    let repos = TemplateRepos::new(&at.path().join("repos"));
    repos.add(&git.url(), Some("office")).unwrap();
    git.commit("repo.json", "{ oops");
    let results = repos.update(None).unwrap();
    let error = results[0].result.as_ref().unwrap_err().to_string();
    assert!(error.contains("cannot be used"), "{error}");
    fs::remove_dir_all(at.path().join("git")).unwrap();
    let results = repos.update(None).unwrap();
    let error = results[0].result.as_ref().unwrap_err().to_string();
    assert!(error.contains("cannot fetch the template repository"), "{error}");
    assert_eq!(templates(&repos), ["one"]);
}

#[test]
fn its_images_are_found_and_only_its_own() {
    let at = Fixture::new();
    let git = Git::new(&at.path().join("git"));
    git.commit("disk.img", "a disk");
    git.commit("repo.json", &manifest("office", "one", "."));
    fs::write(at.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(at.path().join("secret"), git.0.join("link.img")).unwrap();
    std::os::unix::fs::symlink("/etc", git.0.join("etc")).unwrap();
    git.run(&["add", "."]);
    git.run(&["commit", "--quiet", "-m", "links"]);
    let repos = TemplateRepos::new(&at.path().join("repos"));
    repos.add(&git.url(), Some("office")).unwrap();
    let checkout = repos.path().join("office/content");
    assert!(
        fs::symlink_metadata(checkout.join("link.img")).unwrap().is_file(),
        "links are plain files"
    );
    assert!(fs::symlink_metadata(checkout.join("etc")).unwrap().is_file());

    // By its name too it is what came from elsewhere.
    let found = find_repo_by_name("office", &[repos.path().to_owned()]).unwrap();
    assert!(matches!(found.origin(), ManifestOrigin::Checkout { .. }), "{:?}", found.origin());

    let mut lago = at.lago(None);
    let output = lago.args(["template", "fetch", "one"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stored = at.store.path().join("office:one:v1");
    assert_eq!(fs::read_to_string(stored).unwrap(), "a disk");
}

#[test]
fn a_repository_cannot_name_files_of_this_machine() {
    let at = Fixture::new();
    let repos = TemplateRepos::new(&at.path().join("repos"));
    for root in ["/etc", "..", "../.."] {
        let git = Git::new(&at.path().join(format!("git{}", root.len())));
        git.commit("repo.json", &manifest("evil", "one", root));
        let error = repos.add(&git.url(), None).unwrap_err().to_string();
        assert!(error.contains("leads out of the repository"), "{root}: {error}");
    }
    let server = Server::start();
    server.serve_bytes("repo.json", manifest("evil", "one", "/etc"));
    let error = repos.add(&server.url("repo.json"), None).unwrap_err().to_string();
    assert!(error.contains("which a manifest of a server may not name"), "{error}");
}

#[test]
fn addresses_that_would_run_a_program_are_refused() {
    let at = Fixture::new();
    let repos = TemplateRepos::new(&at.path().join("repos"));
    let canary = at.path().join("canary");
    for (url, reason) in [
        (format!("ext::touch {}", canary.display()), "transport 'ext' not allowed"),
        ("--upload-pack=touch canary".to_owned(), "does not exist"),
    ] {
        let error = repos.add(&url, Some("evil")).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(!canary.exists() && !Path::new("canary").exists(), "{url}");
    }
    for name in ["../evil", "", ".hidden", "a/b"] {
        let error = repos.add("file:///nowhere", Some(name)).unwrap_err().to_string();
        assert!(error.contains("cannot be the name of a repository"), "{error}");
    }
}

#[test]
fn a_repository_without_a_manifest_is_none() {
    let at = Fixture::new();
    let git = Git::new(&at.path().join("git"));
    git.commit("README", "hello");
    let repos = TemplateRepos::new(&at.path().join("repos"));
    let error = repos.add(&git.url(), None).unwrap_err().to_string();
    assert!(error.contains("has no template repository in it"), "{error}");
    assert!(!repos.path().join("git").exists());
}

#[test]
fn a_manifest_on_a_server_is_added_and_updated_and_its_images_are_beside_it() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(10_000));
    let publish = |template: &str| {
        let manifest = json!({
            "name": "web",
            "sources": {"here": {"type": "http", "args": {"baseurl": "images/"}}},
            "templates": {template: {"versions": {
                "v1": {"source": "here", "handle": "disk.img", "timestamp": 1, "hash": sha256(&image)},
            }}},
        });
        server.serve_bytes("team/repo.metadata", manifest.to_string());
    };
    publish("one");
    server.serve_bytes("team/images/disk.img", image.clone());
    let repos = TemplateRepos::new(&at.path().join("repos"));
    let added = repos.add(&server.url("team/repo.metadata"), Some("team")).unwrap();
    assert_eq!(added.kind, RepositoryKind::Manifest);
    publish("two");
    assert!(repos.update(None).unwrap()[0].result.is_ok());
    assert_eq!(templates(&repos), ["two"]);

    let output = at.lago(None).args(["template", "fetch", "two:v1"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(fs::read(at.store.path().join("web:two:v1")).unwrap() == image);

    // The setting takes the address itself as well.
    let there = read_repositories(&[server.url("team/repo.metadata").into()]).unwrap();
    assert_eq!(find_template(&there, "two", None).unwrap().name(), "web:two:v1");
}

#[test]
fn a_broken_repository_is_no_obstacle_for_the_others() {
    let at = Fixture::new();
    let repos = at.path().join("repos");
    fs::create_dir_all(&repos).unwrap();
    fs::write(repos.join("broken.json"), "{").unwrap();
    fs::write(repos.join("mine.json"), manifest("mine", "one", ".")).unwrap();
    fs::write(repos.join("disk.img"), "a disk").unwrap();
    let run = |command: &mut Command| command.args(["template", "fetch", "one"]).output().unwrap();
    let output = run(&mut at.lago(None));
    assert!(output.status.success(), "{output:?}");
    assert!(crate::fixture::stderr(&output).contains("broken.json cannot be used"), "{output:?}");
}

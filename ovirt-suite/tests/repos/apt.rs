//! Repositories of Debian packages.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use ovirt_suite::repos::{AptSources, RepoError, RepoSetup, Upstream};

use crate::packages::{deb, run};
use crate::site::{Site, serve, shown};

fn site() -> Site {
    let fill = |upstream: &Path| {
        for version in ["1:0.9", "1.0", "1.5"] {
            deb(upstream, "engine", version);
        }
        deb(upstream, "vdsm", "4.50~rc1");
        index(upstream);
    };
    Site::new(fill, "debian.list", source, |sources| Upstream::Apt(AptSources::new(sources)))
}

/// A line of apt's for a repository that is not signed.
fn source(url: &str) -> String {
    format!("deb [trusted=yes] {url} ./\n")
}

fn index(dir: &Path) {
    let packages =
        run(Command::new("dpkg-scanpackages").args(["--multiversion", "."]).current_dir(dir));
    fs::write(dir.join("Packages"), packages).unwrap();
}

/// A web server tells apt by whole seconds that something has changed.
fn index_later(dir: &Path) {
    index(dir);
    let file = File::options().write(true).open(dir.join("Packages")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(2)).unwrap();
}

#[test]
fn the_newest_packages_are_brought_and_another_apt_gets_them() {
    let site = site();
    let output = site.path("internal_repo/debian");
    let synced = site.setup().run(&output).unwrap();
    assert!(synced.stale.is_empty(), "{:?}", synced.stale);
    assert_eq!(shown(&synced.packages), ["engine 1:0.9", "vdsm 4.50~rc1"]);

    // From what was merged to another cache, as a guest would.
    let server = serve(&output);
    fs::write(site.path("guest.list"), source(&server.url())).unwrap();
    let guest = AptSources::new(site.path("guest.list"));
    let again = RepoSetup::synced(Upstream::Apt(guest), site.path("guest")).run(&site.path("got"));
    assert_eq!(shown(&again.unwrap().packages), ["engine 1:0.9", "vdsm 4.50~rc1"]);
    assert!(site.path("got/engine_1%3a0.9_all.deb").exists());
}

#[test]
fn what_upstream_does_not_have_any_more_goes() {
    let site = site();
    site.setup().run(&site.path("repo")).unwrap();
    let upstream = site.path("upstream");
    deb(&upstream, "engine", "2:0.1");
    fs::remove_file(upstream.join("vdsm_4.50~rc1_all.deb")).unwrap();
    index_later(&upstream);
    let synced = site.setup().run(&site.path("repo")).unwrap();
    assert_eq!(shown(&synced.packages), ["engine 2:0.1"]);
    let left = fs::read_dir(site.path("cache")).unwrap();
    let packages = left.filter(|e| e.as_ref().unwrap().path().extension() == Some("deb".as_ref()));
    assert_eq!(packages.count(), 1);
}

#[test]
fn an_earlier_sync_stands_in_for_one_that_fails_only_when_it_is_complete() {
    let mut site = site();
    site.setup().run(&site.path("repo")).unwrap();
    site.goes_away();
    let synced = site.setup().run(&site.path("repo")).unwrap();
    assert_eq!((synced.packages.len(), synced.stale.len()), (2, 1));

    fs::remove_file(site.path("cache/vdsm_4.50~rc1_all.deb")).unwrap();
    let error = site.setup().run(&site.path("repo")).unwrap_err();
    assert!(matches!(error, RepoError::Incomplete { .. }), "{error}");
    assert!(error.to_string().contains("vdsm_4.50~rc1_all.deb is missing"), "{error}");
}

#[test]
fn nothing_stands_in_for_the_first_sync() {
    let mut site = site();
    site.goes_away();
    let error = site.setup().run(&site.path("repo")).unwrap_err();
    assert!(matches!(error, RepoError::NothingEarlier { .. }), "{error}");
}

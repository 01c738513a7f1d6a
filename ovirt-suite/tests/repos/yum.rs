//! Repositories of RPMs.

use std::fs;
use std::path::Path;
use std::process::Command;

use ovirt_suite::repos::{Family, RepoError, RepoSetup, Upstream, YumConfig};

use crate::packages::{rpm, run};
use crate::site::{Site, serve, shown};

fn site() -> Site {
    let fill = |upstream: &Path| {
        rpm(upstream, "engine", 0, "4.9");
        rpm(upstream, "engine", 0, "4.10");
        rpm(upstream, "vdsm", 1, "2.0");
        index(upstream);
    };
    let configure = |url: &str| format!("[main]\ngpgcheck=0\n[ovirt]\nname=oVirt\nbaseurl={url}\n");
    let upstream = |config| Upstream::Yum(YumConfig::new(config).release("9"));
    Site::new(fill, "el9.repo", configure, upstream)
}

fn index(dir: &Path) {
    run(Command::new("createrepo_c").args(["--quiet", "--no-database"]).arg(dir));
}

/// What dnf finds at an address.
fn dnf_finds(url: &str) -> Vec<String> {
    let own = tempfile::tempdir().unwrap();
    let option = |name: &str| format!("--setopt={name}={}", own.path().display());
    let output = run(Command::new("dnf")
        .args(["cachedir", "logdir", "persistdir", "reposdir"].map(option))
        .args(["--quiet", "--releasever=9", &format!("--repofrompath=here,{url}"), "--repo=here"])
        .args(["repoquery", "--queryformat", "%{name} %{evr}"]));
    let mut found: Vec<_> =
        output.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    found.sort();
    found
}

#[test]
fn the_newest_packages_of_network_and_builds_are_served() {
    let site = site();
    let built = site.path("built");
    fs::create_dir(&built).unwrap();
    // A lower version, and a higher epoch.
    rpm(&built, "engine", 1, "4.2");
    rpm(&built, "vdsm", 0, "9.0");
    let output = site.path("internal_repo/el9");

    let synced = site.setup().built(&built).run(&output).unwrap();
    assert!(synced.stale.is_empty(), "{:?}", synced.stale);
    assert_eq!(shown(&synced.packages), ["engine 1:4.2-1", "vdsm 1:2.0-1"]);
    let server = serve(&output);
    assert_eq!(dnf_finds(&server.url()), ["engine 1:4.2-1", "vdsm 1:2.0-1"]);

    // Merged anew while it is served.
    rpm(&built, "imageio", 0, "1");
    site.setup().built(&built).skip_sync(true).run(&output).unwrap();
    assert_eq!(dnf_finds(&server.url()), ["engine 1:4.2-1", "imageio 1-1", "vdsm 1:2.0-1"]);
    let left: Vec<_> = fs::read_dir(site.path("internal_repo")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn an_earlier_sync_stands_in_for_one_that_fails_only_when_it_is_complete() {
    let mut site = site();
    let output = site.path("internal_repo/el9");
    site.setup().run(&output).unwrap();
    site.goes_away();

    let synced = site.setup().run(&output).unwrap();
    assert_eq!(shown(&synced.packages), ["engine 4.10-1", "vdsm 1:2.0-1"]);
    assert_eq!(synced.stale.len(), 1);
    let reason = synced.stale[0].to_string();
    assert!(reason.contains("cannot bring the repository `ovirt`"), "{reason}");

    let engine = site.path("cache/ovirt/engine-4.10.rpm");
    let whole = fs::read(&engine).unwrap();
    // Not in place: the merged repository has links to it.
    fs::remove_file(&engine).unwrap();
    fs::write(&engine, &whole[..whole.len() / 2]).unwrap();
    let error = site.setup().run(&output).unwrap_err();
    assert!(matches!(error, RepoError::Incomplete { .. }), "{error}");
    assert!(error.to_string().contains("engine-4.10.rpm has"), "{error}");
    assert_eq!(fs::read(output.join("engine-4.10.rpm")).unwrap(), whole);
}

#[test]
fn what_the_configuration_leaves_out_is_not_missed() {
    let mut site = site();
    let config = site.path("el9.repo");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}excludepkgs=vds*\n")).unwrap();
    let output = site.path("internal_repo/el9");
    let synced = site.setup().run(&output).unwrap();
    assert_eq!(shown(&synced.packages), ["engine 4.10-1"]);
    site.goes_away();
    let again = site.setup().run(&output).unwrap();
    assert_eq!((shown(&again.packages), again.stale.len()), (vec!["engine 4.10-1".to_owned()], 1));
}

#[test]
fn nothing_stands_in_for_the_first_sync() {
    let mut site = site();
    site.goes_away();
    let error = site.setup().run(&site.path("internal_repo/el9")).unwrap_err();
    assert!(matches!(error, RepoError::NothingEarlier { .. }), "{error}");
    assert!(!site.path("internal_repo").exists());
}

#[test]
fn packages_that_were_built_are_enough() {
    let dir = tempfile::tempdir().unwrap();
    let built = dir.path().join("built");
    fs::create_dir(&built).unwrap();
    rpm(&built, "engine", 0, "1");
    let output = dir.path().join("repo");
    let synced = RepoSetup::built_only(Family::Yum).built(&built).run(&output).unwrap();
    assert_eq!(shown(&synced.packages), ["engine 1-1"]);
    assert!(!built.join("repodata").exists(), "somebody else's directory was changed");
}

#[test]
fn a_directory_without_packages_or_that_is_not_there_makes_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    let [built, output] = ["built", "repo"].map(|name| dir.path().join(name));
    fs::create_dir(&built).unwrap();
    for family in [Family::Yum, Family::Apt] {
        let setup = RepoSetup::built_only(family);
        let error = setup.clone().built(&built).run(&output).unwrap_err();
        assert!(matches!(error, RepoError::NoPackages { .. }), "{error}");
        let error = setup.built(dir.path().join("nowhere")).run(&output).unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");
    }
    assert!(!output.exists());
}

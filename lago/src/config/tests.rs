use std::fs;

use super::*;

/// The settings of an environment and of the contents of files, the most important one first.
fn config(
    environment: &[(&str, &str)],
    files: &[&str],
) -> (tempfile::TempDir, Result<Config, ConfigError>) {
    let dir = tempfile::tempdir().unwrap();
    let write = |(number, content): (usize, &&str)| {
        let path = dir.path().join(format!("{number}.conf"));
        fs::write(&path, content).unwrap();
        path
    };
    let mut paths: Vec<PathBuf> = files.iter().enumerate().map(write).collect();
    paths.push(dir.path().join("missing.conf"));
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let result = Config::from_sources(&Sources { environment, files: paths });
    (dir, result)
}

fn good(environment: &[(&str, &str)], files: &[&str]) -> Config {
    config(environment, files).1.unwrap()
}

/// The error, with the directory of the files cut off.
fn bad(environment: &[(&str, &str)], files: &[&str]) -> String {
    let (dir, result) = config(environment, files);
    result.unwrap_err().to_string().replace(&format!("{}/", dir.path().display()), "")
}

fn origin(config: &Config, key: &str) -> Origin {
    config.get(key).unwrap().origin.clone()
}

#[test]
fn without_sources_there_are_the_defaults() {
    let config = good(&[], &[]);
    assert_eq!(config.accel, AccelerationChoice::Auto);
    assert_eq!(config.start_limit, START_LIMIT);
    assert_eq!(config.libvirt_uri, None);
    assert_eq!(config.entries().len(), KEYS.len());
    assert!(config.entries().iter().all(|entry| entry.origin == Origin::Default));
}

#[test]
fn settings_of_lago_say_what_domains_are() {
    let file = "[lago]\nssh_user = lago\nssh_password =\ndefault_root_password = secret\n\
                default_vm_type = ovirt-host\ndefault_vm_provider = ssh\nout_format = flat\nssh_timeout = 3\n";
    let config =
        good(&[("LAGO__LAGO__SSH_USER", "admin"), ("LAGO_IGNORE_WARNINGS", "True")], &[file]);
    let defaults = DomainDefaults {
        ssh_user: Some("admin".into()),
        ssh_password: None,
        root_password: Some("secret".into()),
        vm_type: Some("ovirt-host".into()),
        vm_provider: Some("ssh".into()),
    };
    assert_eq!(config.domain_defaults, defaults);
    assert_eq!((config.out_format.as_str(), config.ignore_warnings), ("flat", true));
    assert_eq!(config.ssh_limit(None, None), Some(Duration::from_secs(300)));
    assert_eq!(config.ssh_limit(Some(2), None), Some(Duration::from_secs(6)));
    assert_eq!(good(&[], &[]).ssh_limit(None, None), None);
    assert_eq!(config.get("default_root_password").unwrap().value, "********");
}

#[test]
fn a_setting_of_lago_that_decides_nothing_is_said_where_somebody_counts_on_it() {
    let file = "[lago]\nlibvirt_username = me\nlibvirt_password =\nlogdepth = 3\n[start]\nx = 1\n";
    let config = good(&[("LAGO_REPOSYNC_DIR", "/x")], &[file]);
    let [warning] = config.warnings() else { panic!("{:?}", config.warnings()) };
    assert!(warning.contains("0.conf:2: `libvirt_username`"), "{warning}");
    assert!(warning.contains("?authfile=PATH"), "{warning}");
}

#[test]
fn the_environment_beats_the_user_who_beats_the_system() {
    let user = "[lago]\nlibvirt_uri = user\naccel = kvm\n";
    let system = "[lago]\nlibvirt_uri = system\naccel = tcg\nstart_limit = 5m\n";
    let config = good(&[("LAGO_LIBVIRT_URI", "environment")], &[user, system]);
    assert_eq!(config.libvirt_uri.as_deref(), Some("environment"));
    assert_eq!(config.accel, AccelerationChoice::Kvm);
    assert_eq!(config.start_limit, Duration::from_secs(300));
    assert_eq!(origin(&config, "libvirt_uri"), Origin::Environment("LAGO_LIBVIRT_URI".into()));
    assert!(origin(&config, "accel").to_string().ends_with("/0.conf:3"));
    assert!(origin(&config, "start_limit").to_string().ends_with("/1.conf:4"));
}

#[test]
fn the_cache_is_as_large_and_where_it_is_said_to_be() {
    let text = "[lago]\ncache = on\ncache_dir = /srv/cache\ncache_size = 1.5G\n";
    let config = good(&[("LAGO_CACHE", "OFF")], &[text]);
    assert_eq!((config.cache, config.cache_size), (Some(false), 3 << 29));
    assert_eq!(config.cache_dir, Some("/srv/cache".into()));
    assert_eq!((good(&[], &[]).cache, good(&[], &[]).cache_size), (None, CACHE_SIZE));
}

#[test]
fn subnets_come_from_where_it_is_said() {
    let config = good(&[("LAGO_SUBNET_RANGE", "10.64.0.0/20")], &["[lago]\nlease_dir = leases\n"]);
    assert_eq!(config.subnet_range.len(), 16);
    assert!(config.lease_dir.unwrap().ends_with("leases"));
    let text = bad(&[], &["[lago]\nsubnet_range = 10.64.0.0\n"]);
    assert!(
        text.starts_with(
            "0.conf:2: `subnet_range = 10.64.0.0` cannot be used: it should be two subnets"
        ),
        "{text}"
    );
}

#[test]
fn a_variable_can_name_its_section() {
    assert_eq!(good(&[("LAGO__LAGO__ACCEL", "tcg")], &[]).accel, AccelerationChoice::Tcg);
    assert_eq!(
        good(&[("LAGO_ACCEL", "")], &["[lago]\naccel = kvm"]).accel,
        AccelerationChoice::Kvm
    );
    let text = bad(&[("LAGO__LAGO__ACEL", "tcg")], &[]);
    assert_eq!(
        text,
        "environment variable LAGO__LAGO__ACEL: there is no key `acel`; did you mean `accel`?"
    );
    let text = bad(&[("LAGO__WEB__ACCEL", "tcg")], &[]);
    assert!(text.contains("there is no section `web`; the section is `lago`"), "{text}");
}

#[test]
fn a_variable_of_somebody_else_is_no_error_but_a_misspelt_one_is_said() {
    let config = good(&[("LAGO_TEST_WORKER", "1"), ("LAGO_STROE", "/x"), ("HOME", "/x")], &[]);
    assert_eq!(
        config.warnings(),
        ["the environment variable LAGO_STROE is no setting of lago; did you mean LAGO_STORE?"]
    );
}

#[test]
fn an_unknown_key_is_said_with_its_place() {
    let text = bad(&[], &["# comment\n[lago]\naccel = tcg\n\n  stroe = /x\n"]);
    assert_eq!(text, "0.conf:5: there is no key `stroe`; did you mean `store`?");
    let text = bad(&[], &["[lago]\ncolour = red"]);
    assert!(text.starts_with("0.conf:2: there is no key `colour`; the keys are store, "), "{text}");
    let text = bad(&[], &["[lago]\naccel = tcg\n[web]\nstore = /x\n"]);
    assert_eq!(text, "0.conf:4: there is no section `web`; the section is `lago`");
    let text = bad(&[], &["store = /x\n[lago]\n"]);
    assert_eq!(text, "0.conf:1: there is no section ``; the section is `lago`");
}

#[test]
fn sizes_are_shown_with_the_unit_that_fits() {
    let shown =
        |size| good(&[("LAGO_CACHE_SIZE", size)], &[]).get("cache_size").unwrap().value.clone();
    assert_eq!(["10G", "1.5G", "512", "2048K"].map(shown), ["10G", "1536M", "512", "2M"]);
}

#[test]
fn a_key_that_is_there_twice_is_said() {
    let text = bad(&[], &["[lago]\naccel = tcg\nstore = /x\naccel = kvm\n"]);
    assert_eq!(text, "0.conf:4: the key `accel` is there a second time; remove one of the two");
}

#[test]
fn a_broken_file_is_said_with_its_place() {
    let text = bad(&[], &["[lago]\naccel = tcg\nnonsense\n"]);
    assert_eq!(text, "0.conf:3:1: this is neither `[section]` nor `key = value`");
    assert!(bad(&[], &["[lago]\nnonsense\naccel = tcg\n"]).starts_with("0.conf:2:1: "));
    assert!(bad(&[], &["; comment\n[lago\naccel = tcg\n"]).starts_with("0.conf:2:1: "));
    assert!(bad(&[], &["[lago]\n= tcg\n"]).starts_with("0.conf:2:"));
}

#[test]
fn values_that_cannot_be_used_say_what_they_should_be() {
    for (line, reason) in [
        ("accel = xen", "it should be one of auto, kvm, tcg"),
        ("loglevel = loud", "it should be one of off, error, warn, info, debug, trace"),
        ("loglevel = 10", "it should be one of off, error, warn, info, debug, trace"),
        ("cache = maybe", "it should be one of on, off"),
        ("default_vm_provider = cloud", "it should be one of local-libvirt, ssh"),
        ("out_format = xml", "it should be one of default, json, yaml, flat"),
        ("ssh_tries = 0", "it should be a whole number, and more than nothing"),
        ("cache_size = 10 big", "it should be a size such as 512M or 10G, and more than nothing"),
        ("cache_size = 0", "it should be a size such as 512M or 10G, and more than nothing"),
        (
            "start_limit = 0",
            "it should be a time such as 600, 600s, 10m or 1h, and more than nothing",
        ),
        (
            "start_limit = 99999999999999999999h",
            "it should be a time such as 600, 600s, 10m or 1h, and more than nothing",
        ),
        (
            "start_limit = ä",
            "it should be a time such as 600, 600s, 10m or 1h, and more than nothing",
        ),
    ] {
        let text = bad(&[], &[&format!("[lago]\n{line}\n")]);
        assert_eq!(text, format!("0.conf:2: `{line}` cannot be used: {reason}"));
    }
    assert!(bad(&[], &["[lago]\nstore =\n"]).contains("it should be the path of a directory"));
}

#[test]
fn paths_are_relative_to_their_file_and_may_be_several() {
    let text = "[lago]\nstore = store\ntemplate_repo_path = repos:/srv/a: /srv/b\n";
    let (dir, result) = config(&[], &[text]);
    let config = result.unwrap();
    assert_eq!(config.store().unwrap(), dir.path().join("store"));
    let expected = [dir.path().join("repos"), "/srv/a".into(), "/srv/b".into()];
    assert_eq!(config.template_repo_path, expected);
    let home = env::home_dir().unwrap();
    assert_eq!(good(&[("LAGO_STORE", "~/x")], &[]).store().unwrap(), home.join("x"));
}

#[test]
fn quotes_and_backslashes_are_part_of_a_value() {
    let config = good(&[], &["[lago]\nlibvirt_uri = \"a\\b#c;d\n"]);
    assert_eq!(config.libvirt_uri.as_deref(), Some("\"a\\b#c;d"));
}

#[test]
fn an_unreadable_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources { environment: Vec::new(), files: vec![dir.path().to_owned()] };
    let text = Config::from_sources(&sources).unwrap_err().to_string();
    assert!(text.starts_with(&format!("cannot read {}", dir.path().display())), "{text}");
}

#[test]
fn the_configuration_of_lago_is_taken() {
    let file = "
[lago]
libvirt_url = qemu:///system
loglevel = debug
ssh_user = root
logdepth = 3
[init]
template_store = /var/lib/lago/store
set_current = true
[copy-to-vm]
host = x
";
    let config = good(&[("LAGO__START__WAIT_SUSPEND", "1.0"), ("LAGO_SSH_TRIES", "3")], &[file]);
    assert_eq!(config.libvirt_uri.as_deref(), Some("qemu:///system"));
    assert_eq!(config.store, Some("/var/lib/lago/store".into()));
    assert!(config.warnings().is_empty());
    let config = good(&[("LAGO__LAGO__LIBVIRT_URL", "qemu:///system")], &[]);
    assert_eq!(config.libvirt_uri.as_deref(), Some("qemu:///system"));
    let text = bad(&[], &["[lago]\nstore = /a\ntemplate_store = /b\n"]);
    assert!(text.contains("`template_store` is there a second time"), "{text}");
}

use serde_json::{Value, json};

use super::*;

fn manifest() -> Value {
    json!({
        "name": "office",
        "sources": {"disk": {"type": "file", "args": {"root": "images"}}},
        "templates": {"debian": {"versions": {
            "v1": {"source": "disk", "handle": "d1", "timestamp": 10},
            "v3": {"source": "disk", "handle": "d3", "timestamp": 30},
            "v2": {"source": "disk", "handle": "d2", "timestamp": 20},
        }}},
    })
}

fn read(manifest: &Value) -> Result<TemplateRepository, TemplateError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo.json");
    fs::write(&path, manifest.to_string()).unwrap();
    TemplateRepository::from_file(&path)
}

#[test]
fn the_newest_version_is_by_timestamp() {
    let repository = read(&manifest()).unwrap();
    let debian = repository.get_by_name("debian").unwrap();
    assert_eq!(debian.get_latest_version().name(), "office:debian:v3");
    assert_eq!(debian.get_version(None).unwrap().timestamp(), 30);
    assert_eq!(debian.get_version(Some("v1")).unwrap().timestamp(), 10);
}

#[test]
fn what_does_not_exist_is_answered_with_what_does() {
    let repository = read(&manifest()).unwrap();
    let error = repository.get_by_name("fedora").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the repository `office` has no template `fedora`; it has: debian"
    );
    let error = repository.get_by_name("debian").unwrap().get_version(Some("v9")).unwrap_err();
    assert_eq!(error.to_string(), "the template `debian` has no version `v9`; it has: v1, v3, v2");
}

#[test]
fn a_wrong_manifest_says_where() {
    let change = |pointer: &str, value: Value| {
        let mut manifest = manifest();
        *manifest.pointer_mut(pointer).unwrap() = value;
        read(&manifest).unwrap_err().to_string()
    };
    let text = change("/templates/debian/versions/v1/source", json!("tape"));
    assert!(
        text.contains("version `v1`") && text.contains("`tape`") && text.ends_with("disk"),
        "{text}"
    );
    let text = change("/sources/disk/type", json!("tape"));
    assert!(text.contains("unknown variant `tape`, expected `file`"), "{text}");
    let text = change("/templates/debian/versions", json!({}));
    assert!(text.contains("`debian` has no versions"), "{text}");
    let text = change("/templates/debian/versions/v1/timestamp", json!("now"));
    assert!(text.contains("line 1 column"), "{text}");
    for name in ["", "../x", "a/b", "a:b", ".x", "a\nb"] {
        let text = change("/name", json!(name));
        assert!(text.contains("cannot be the name of a repository"), "{text}");
    }
}

#[test]
fn repositories_are_found_by_name_in_files_and_directories() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["home", "office"] {
        let mut manifest = manifest();
        manifest["name"] = json!(name);
        fs::write(dir.path().join(format!("{name}.json")), manifest.to_string()).unwrap();
    }
    fs::write(dir.path().join("broken.json"), "{").unwrap();
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    let paths = [dir.path().to_owned()];
    assert_eq!(find_repo_by_name("office", &paths).unwrap().name(), "office");
    let file = [dir.path().join("home.json")];
    assert_eq!(find_repo_by_name("home", &file).unwrap().path(), file[0]);
    let error = find_repo_by_name("attic", &paths).unwrap_err().to_string();
    assert_eq!(error, "there is no template repository `attic`; there are: home, office");
}

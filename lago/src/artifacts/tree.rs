//! What has come out of a guest, made harmless: nothing in it leads anywhere else, and only its owner reads it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

/// A file of such a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Where it is, from the tree's root; empty when the tree is a single file.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Makes a tree harmless and lists its files. What archives or publishes evidence follows links, and one that a guest has
/// made may name a file of this host.
pub(crate) fn contain(root: &Path) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    visit(root, Path::new(""), &mut listed)?;
    Ok(listed)
}

fn visit(root: &Path, inside: &Path, listed: &mut Vec<Listed>) -> io::Result<()> {
    // Joined with nothing, a path gets a slash at its end, and a file is none any more.
    let is_root = inside.as_os_str().is_empty();
    let path = if is_root { root.to_owned() } else { root.join(inside) };
    let kind = path.symlink_metadata()?.file_type();
    if kind.is_symlink() {
        let target = fs::read_link(&path)?;
        if stays_inside(inside, &target) {
            return Ok(());
        }
        fs::remove_file(&path)?;
        fs::write(&path, format!("a symbolic link in the guest, to {}\n", target.display()))?;
    } else if kind.is_dir() {
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        let mut names = fs::read_dir(&path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        return names.iter().try_for_each(|name| visit(root, &inside.join(name), listed));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    listed.push(Listed { path: inside.to_owned(), bytes: path.metadata()?.len() });
    Ok(())
}

/// Whether a link at a place in the tree leads to a place in the tree, as far as its text says: up at most to the root,
/// then only down. What it leads through on the way down may be links, which stay inside as well; upwards from one of
/// those may be out.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let depth = link.components().count().saturating_sub(1);
    let is_up = |component: &Component<'_>| matches!(component, Component::ParentDir);
    let up = target.components().take_while(is_up).count();
    let down = target.components().skip(up);
    up <= depth
        && down.into_iter().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_that_lead_out_become_files_that_say_so() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("secret"), "secret").unwrap();
        let root = place.path().join("artifacts");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/log"), "text").unwrap();
        fs::set_permissions(root.join("a/log"), Permissions::from_mode(0o666)).unwrap();
        let links = [
            ("a/b/inside", "../log", true),
            ("a/absolute", "/etc/passwd", false),
            ("a/b/up", "../../../secret", false),
            ("top", "../secret", false),
            ("back", "a/../../secret", false),
            ("a/b/here", ".", true),
            ("a/b/round", "here/../../../secret", false),
        ];
        for (link, target, _) in links {
            symlink(target, root.join(link)).unwrap();
        }
        let listed = contain(&root).unwrap();
        for (link, target, stays) in links {
            let path = root.join(link);
            assert_eq!(path.is_symlink(), stays, "{link}");
            if !stays {
                let text = fs::read_to_string(&path).unwrap();
                assert_eq!(text, format!("a symbolic link in the guest, to {target}\n"));
            }
        }
        let names: Vec<_> = listed.iter().map(|file| file.path.to_str().unwrap()).collect();
        assert_eq!(names, ["a/absolute", "a/b/round", "a/b/up", "a/log", "back", "top"]);
        assert_eq!(listed[3].bytes, 4);
        let mode = |path: &str| root.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a/log"), mode("a"), mode("top")), (0o600, 0o700, 0o600));
    }

    #[test]
    fn a_single_file_is_a_tree_as_well() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("messages");
        fs::write(&file, "text").unwrap();
        assert_eq!(contain(&file).unwrap(), [Listed { path: PathBuf::new(), bytes: 4 }]);
    }
}

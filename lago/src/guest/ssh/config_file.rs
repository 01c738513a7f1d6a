//! Words of ssh's configuration (`man ssh_config`).

use std::path::Path;

/// A path as the configuration takes it, in which a blank separates and a percent sign begins a token.
pub(crate) fn path_in_config(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::path_in_config;

    #[test]
    fn a_path_is_quoted_and_holds_no_tokens() {
        assert_eq!(
            path_in_config(Path::new("/a b/100%done/known_hosts")),
            r#""/a b/100%%done/known_hosts""#
        );
    }
}

//! Names of domains, networks and disks.

/// The longest host name that Linux takes is 64 bytes; a DNS label has at most 63.
pub(super) const LONGEST: usize = 63;

/// Says what is wrong with the name of a domain or a network, which becomes part of host names, file names and
/// libvirt names.
pub(crate) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > LONGEST {
        return Err(format!("the name {name:?} has {} characters", name.len()));
    }
    if let Some(bad) = name.chars().find(|c| !is_allowed(*c)) {
        return Err(format!("the name {name:?} contains {bad:?}"));
    }
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !ends_well(name.chars().next()) || !ends_well(name.chars().next_back()) {
        return Err(format!("the name {name:?} does not begin and end with a letter or a digit"));
    }
    Ok(())
}

/// Whether a user of a guest may have this name. It becomes a part of files of other programs, such as ssh's.
pub(crate) fn is_user(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=32).contains(&name.len()) && !name.starts_with('-') && name.chars().all(is_allowed)
}

/// What to write for a name.
pub(super) fn help() -> String {
    format!(
        "write at most {LONGEST} letters, digits, `-`, `_` and `.`, with a letter or a digit first and last"
    )
}

/// The candidate that was probably meant.
pub(super) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Below this, the words share little more than their length.
    const SIMILAR: f64 = 0.7;
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

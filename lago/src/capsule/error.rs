use std::path::PathBuf;

/// What goes wrong with capsules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapsuleError {
    /// The file is something else.
    #[error("{} is no capsule: {reason}", path.display())]
    NotACapsule {
        /// The file.
        path: PathBuf,
        /// How that is known.
        reason: String,
    },
    /// A newer lago has saved it.
    #[error(
        "the capsule {} was saved by lago {lago}, whose capsules lago {} does not know; open it with the newer lago",
        path.display(), crate::constants::VERSION
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version that saved it.
        lago: String,
    },
    /// A part of it is missing or was changed on the way.
    #[error(
        "the capsule {} is damaged: {reason}. Nothing of it was kept; copy it anew from where it was saved",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It is not as lago saves one: it could do harm.
    #[error("the capsule {} is not as lago saves one, and is refused: {reason}. Nothing of it was kept", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A template that it stands on is not to be had.
    #[error(
        "the capsule needs the template `{template}` with the digest {digest}, which {searched}. {remedy}; or have the \
         capsule saved anew with --with-templates"
    )]
    Template {
        /// The template version, as `repository:template:version`.
        template: String,
        /// The digest of its image.
        digest: String,
        /// Where it was looked for.
        searched: String,
        /// How it comes here.
        remedy: String,
    },
    /// This machine cannot run what was saved.
    #[error(
        "the capsule cannot be opened here: {}. A guest's memory fits only the kind of machine that it was saved on; open \
         it on one like that, or leave the memory out with --no-memory",
        reasons.join("; ")
    )]
    Machine {
        /// What is missing here.
        reasons: Vec<String>,
    },
    /// The VMs could not be brought back.
    #[error(
        "the capsule could not be brought back to its moment, and nothing of it was kept{}",
        told(differences)
    )]
    NotRestored {
        /// How this machine differs from the one that it was saved on.
        differences: Vec<String>,
        /// What went wrong.
        #[source]
        source: Box<crate::Error>,
    },
    /// A VM has something that cannot be packed.
    #[error("VM {vm} cannot be packed: {reason}")]
    Unpackable {
        /// The VM.
        vm: String,
        /// What it has.
        reason: String,
    },
    /// Somebody wanted the saving to end.
    #[error("{} was not saved: it was called off", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes to the same file.
    #[error("{} is being written to by another process; wait for it, or choose another file", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
}

fn told(differences: &[String]) -> String {
    if differences.is_empty() {
        return String::new();
    }
    format!(
        ". This machine is not like the one that it was saved on, and a guest's memory fits only the same machine type \
         and processor: {}. Without its memory it can be opened with --no-memory",
        differences.join("; ")
    )
}

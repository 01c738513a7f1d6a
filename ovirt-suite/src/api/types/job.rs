//! What the engine is working on.

use super::List;

enumeration! {
    /// How far a job or a step is.
    JobStatus {
        /// It is being done.
        Started = "started",
        /// It is done.
        Finished = "finished",
        /// It could not be done.
        Failed = "failed",
        /// It was given up.
        Aborted = "aborted",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

impl JobStatus {
    /// Whether nothing more comes.
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Started)
    }
}

object! {
    /// Something that the engine works on. What it is, is its `description`.
    Job in "jobs", "job" {
        /// How far it is.
        status: JobStatus,
        /// When it began.
        start_time: String,
        /// When it ended.
        end_time: String,
        /// Its parts, when they are followed.
        steps: List<Step>,
    }
}

object! {
    /// A part of a job. What it is, is its `description`.
    Step in "steps", "step" {
        /// How far it is.
        status: JobStatus,
        /// What it does: `executing`, `validating`.
        r#type: String,
        /// Which one it is.
        number: u32,
        /// How far it is, in per cent.
        progress: u32,
    }
}

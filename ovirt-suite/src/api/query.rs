//! What narrows a request, in the query of its address.

use super::types::Id;

/// Parameters of a request. What is not set is left to the engine.
///
/// ```
/// use ovirt_suite::api::Query;
///
/// let first = Query::new().search("datacenter=test-dc and status=up").max(1).follow("nics");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    parameters: Vec<(String, String)>,
}

impl Query {
    /// Nothing in particular.
    pub fn new() -> Self {
        Self::default()
    }

    /// A parameter by its name in the API.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.parameters.retain(|(known, _)| *known != name);
        self.parameters.push((name, value.into()));
        self
    }

    /// Only what this search finds, in the language of the engine's own search field: `name=vm* and status=up`.
    pub fn search(self, search: impl AsRef<str>) -> Self {
        self.with("search", search.as_ref())
    }

    /// At most so many.
    pub fn max(self, max: u32) -> Self {
        self.with("max", max.to_string())
    }

    /// What these links of the object lead to is part of the answer: `nics,disk_attachments.disk`.
    pub fn follow(self, links: impl AsRef<str>) -> Self {
        self.with("follow", links.as_ref())
    }

    /// All of an object, also what takes the engine longer to find out.
    pub fn all_content(self) -> Self {
        self.with("all_content", "true")
    }

    /// What the engine writes to the jobs and events that come of the request, to find them by.
    pub fn correlation_id(self, id: impl AsRef<str>) -> Self {
        self.with("correlation_id", id.as_ref())
    }

    /// Only events that came after the one with this number.
    pub fn from_event(self, id: &Id) -> Self {
        self.with("from", id.as_str())
    }

    pub(super) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_set_twice_has_the_last_value() {
        let query = Query::new().max(1).search("name=a").max(2);
        let expected = [("search", "name=a"), ("max", "2")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query.parameters(), expected);
    }
}

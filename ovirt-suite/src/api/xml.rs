//! Bodies in XML.

use quick_xml::Reader;
use quick_xml::events::Event;
use reqwest::StatusCode;

use super::error::ApiError;
use super::transport::Answer;
use super::types::{Action, Api, Fault, Model};

/// How much of an answer is quoted.
const EXCERPT: usize = 200;

/// Writes the body of a request.
pub(super) fn write<T: Model>(object: &T) -> Result<Vec<u8>, ApiError> {
    quick_xml::se::to_string_with_root(T::TAG, object).map(String::into_bytes).map_err(|error| {
        ApiError::Setup { reason: format!("a {} cannot be written as XML: {error}", T::TAG) }
    })
}

/// Reads an answer that is to be an object of this kind, below a root of this name.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    answer: Answer,
    root: &str,
) -> Result<T, ApiError> {
    let text = success(answer)?;
    if text.root != root {
        let reason = format!("it is a `{}` instead of a `{root}`", text.root);
        return Err(text.malformed(reason));
    }
    quick_xml::de::from_str(&text.body).map_err(|error| text.malformed(error.to_string()))
}

/// Reads what the engine says of itself. Where the API is, this is never missing: an engine that is being deployed has no API
/// yet.
pub(super) fn read_api(answer: Answer) -> Result<Api, ApiError> {
    if says_missing(&answer) {
        return Err(not_the_api(answer));
    }
    read(answer, Api::TAG)
}

/// Reads the answer to an action or a removal, which may have no body.
pub(super) fn read_action(answer: Answer) -> Result<Action, ApiError> {
    if answer.status.is_success() && answer.body.is_empty() {
        return Ok(Action::default());
    }
    let (request, status) = (answer.request.clone(), answer.status);
    let action: Action = read(answer, Action::TAG)?;
    match action.fault {
        Some(fault) => Err(of_fault(request, status, fault)),
        None => Ok(action),
    }
}

/// An answer that is XML.
struct Text {
    request: String,
    root: String,
    body: String,
}

impl Text {
    fn malformed(&self, reason: String) -> ApiError {
        let excerpt = excerpt(&self.body);
        ApiError::Malformed { request: self.request.clone(), reason, excerpt }
    }
}

/// An answer that is XML and no fault.
fn success(answer: Answer) -> Result<Text, ApiError> {
    if says_missing(&answer) {
        return Err(missing(answer));
    }
    if !answer.content_type.contains("xml") || answer.content_type.contains("xhtml") {
        return Err(not_the_api(answer));
    }
    let Answer { request, status, body, .. } = answer;
    let body = String::from_utf8_lossy(&body).into_owned();
    let root = root(&body).map_err(|reason| {
        let (request, excerpt) = (request.clone(), excerpt(&body));
        ApiError::Malformed { request, reason, excerpt }
    })?;
    let text = Text { request, root, body };
    let fault: Option<Fault> = match text.root.as_str() {
        Fault::TAG => quick_xml::de::from_str(&text.body)
            .map_err(|error| text.malformed(error.to_string()))?,
        // An action that failed has its fault inside.
        Action::TAG => {
            quick_xml::de::from_str::<Action>(&text.body)
                .map_err(|error| text.malformed(error.to_string()))?
                .fault
        }
        _ => None,
    };
    match fault {
        Some(fault) => Err(of_fault(text.request, status, fault)),
        None if status.is_success() => Ok(text),
        None => Err(text.malformed(format!("its status is {status}, and it has no fault"))),
    }
}

/// Whether there is nothing at an address, in the engine's way of saying so.
fn says_missing(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && answer.body.is_empty()
}

/// The engine says nothing more about an object that it does not have.
fn missing(answer: Answer) -> ApiError {
    let Answer { request, status, .. } = answer;
    ApiError::Fault { request, status, reason: "Not Found".to_owned(), detail: String::new() }
}

fn of_fault(request: String, status: StatusCode, fault: Fault) -> ApiError {
    let reason = fault.reason.unwrap_or_else(|| "a fault without a reason".to_owned());
    ApiError::Fault { request, status, reason, detail: fault.detail.unwrap_or_default() }
}

/// The name of the root element.
fn root(body: &str) -> Result<String, String> {
    let mut reader = Reader::from_str(body);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) | Event::Empty(start) => {
                return Ok(start.name().as_ref().to_owned());
            }
            Event::Eof => return Err("it has no element".to_owned()),
            _ => {}
        }
    }
}

/// The error of an answer that is none of the API.
pub(super) fn not_the_api(answer: Answer) -> ApiError {
    let Answer { request, status, content_type, body } = answer;
    let body = String::from_utf8_lossy(&body);
    let excerpt = title(&body).unwrap_or_else(|| excerpt(&body));
    ApiError::NotTheApi { request, status, content_type, excerpt }
}

/// What a page calls itself.
fn title(body: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(excerpt(&body[start..end])).filter(|title| !title.is_empty())
}

/// How a text begins, on one line.
fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;

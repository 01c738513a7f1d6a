//! Signing in and out: OAuth 2.0 with a user's name and password (RFC 6749, section 4.3), as the engine's SSO does it.

use lago::utils::Deadline;
use reqwest::{Method, Url};
use serde::Deserialize;
use url::form_urlencoded;

use super::error::ApiError;
use super::transport::{Answer, Request, Transport};
use super::xml::not_the_api;

const TOKEN_PATH: &str = "/ovirt-engine/sso/oauth/token";
const LOGOUT_PATH: &str = "/ovirt-engine/services/sso-logout";

/// The scope that lets a token be used for the API.
const SCOPE: &str = "ovirt-app-api";

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Whom the engine knows the caller as.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

/// What the SSO answers. An engine says what is wrong in `error` and `error_code`, a newer one in `error_description` and
/// `error`.
#[derive(Deserialize)]
struct SsoAnswer {
    access_token: Option<String>,
    error: Option<String>,
    error_code: Option<String>,
    error_description: Option<String>,
}

/// Gets a token. `api` is any address at the engine.
pub(super) fn sign_in(
    transport: &Transport,
    api: &Url,
    user: &User,
    deadline: &Deadline,
) -> Result<String, ApiError> {
    let form = [
        ("grant_type", "password"),
        ("scope", SCOPE),
        ("username", &user.name),
        ("password", &user.password),
    ];
    let (request, answer) = ask(transport, (api, TOKEN_PATH), &form, user, deadline)?;
    answer.access_token.ok_or_else(|| ApiError::Malformed {
        request,
        reason: "it has neither a token nor an error".to_owned(),
        excerpt: String::new(),
    })
}

/// Gives a token back.
pub(super) fn sign_out(
    transport: &Transport,
    api: &Url,
    user: &User,
    token: &str,
    deadline: &Deadline,
) -> Result<(), ApiError> {
    let form = [("scope", ""), ("token", token)];
    ask(transport, (api, LOGOUT_PATH), &form, user, deadline).map(drop)
}

fn ask(
    transport: &Transport,
    (api, path): (&Url, &str),
    form: &[(&str, &str)],
    user: &User,
    deadline: &Deadline,
) -> Result<(String, SsoAnswer), ApiError> {
    let mut url = api.clone();
    url.set_path(path);
    url.set_query(None);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::new(Method::POST, url, JSON).body(FORM, body);
    let Answer { request, status, content_type, body } = transport.send(&request, deadline)?;
    if !content_type.contains("json") {
        return Err(not_the_api(Answer { request, status, content_type, body }));
    }
    let answer = read(&body).map_err(|error| ApiError::Malformed {
        request: request.clone(),
        reason: error.to_string(),
        // It may hold a token.
        excerpt: String::new(),
    })?;
    let SsoAnswer { error, error_code, error_description, .. } = &answer;
    let Some(error) = error.clone().or_else(|| error_code.clone()) else {
        return Ok((request, answer));
    };
    let (code, description) = match (error_description, error_code) {
        (Some(description), _) => (error, description.clone()),
        (None, Some(code)) => (code.clone(), error),
        (None, None) => (error.clone(), error),
    };
    Err(ApiError::SignIn { request, user: user.name.clone(), code, description })
}

/// Some engines put the answer into a list.
fn read(body: &[u8]) -> serde_json::Result<SsoAnswer> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        One(SsoAnswer),
        List([SsoAnswer; 1]),
    }
    match serde_json::from_slice(body)? {
        Body::One(answer) | Body::List([answer]) => Ok(answer),
    }
}

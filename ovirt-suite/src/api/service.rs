//! Collections and objects of the API.

use std::fmt;
use std::marker::PhantomData;

use reqwest::Method;

use super::connection::Connection;
use super::error::ApiError;
use super::query::Query;
use super::types::{Action, Id, List, Model};
use super::xml;

/// A collection of objects of one kind, such as `/vms` or `/vms/123/nics`.
pub struct Collection<T> {
    place: Place,
    kind: PhantomData<fn() -> T>,
}

/// One object, such as `/vms/123`. What it can do depends on its kind.
pub struct Resource<T> {
    pub(super) place: Place,
    kind: PhantomData<fn() -> T>,
}

/// A path below the API's address.
#[derive(Clone)]
pub(super) struct Place {
    connection: Connection,
    path: Vec<String>,
}

impl Place {
    pub(super) fn root(connection: &Connection) -> Self {
        Self { connection: connection.clone(), path: Vec::new() }
    }

    pub(super) fn below(&self, segment: &str) -> Self {
        let mut place = self.clone();
        place.path.push(segment.to_owned());
        place
    }

    fn send(
        &self,
        method: Method,
        query: &Query,
        body: Option<Vec<u8>>,
    ) -> Result<super::transport::Answer, ApiError> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        self.connection.send(method, &path, query, body)
    }
}

impl<T: Model> Collection<T> {
    pub(super) fn at(place: Place) -> Self {
        Self { place, kind: PhantomData }
    }

    /// The objects that the query leaves.
    pub fn list(&self, query: &Query) -> Result<Vec<T>, ApiError> {
        let answer = self.place.send(Method::GET, query, None)?;
        let List { items } = xml::read(answer, T::PLURAL)?;
        Ok(items)
    }

    /// All objects, as far as the engine lists them.
    pub fn all(&self) -> Result<Vec<T>, ApiError> {
        self.list(&Query::new())
    }

    /// The object of this name, if there is one.
    pub fn find(&self, name: &str) -> Result<Option<T>, ApiError> {
        let objects = self.list(&Self::narrowed_to(name))?;
        Ok(objects.into_iter().find(|object| object.name() == Some(name)))
    }

    /// The object of this name.
    ///
    /// # Errors
    /// [`ApiError::Unknown`] when there is none.
    pub fn named(&self, name: &str) -> Result<T, ApiError> {
        let unknown = || ApiError::Unknown { kind: T::TAG, name: name.to_owned() };
        self.find(name)?.ok_or_else(unknown)
    }

    /// Adds an object, and returns what the engine made of it.
    pub fn add(&self, object: &T) -> Result<T, ApiError> {
        self.add_with(object, &Query::new())
    }

    /// As [`add`](Self::add), with parameters.
    pub fn add_with(&self, object: &T, query: &Query) -> Result<T, ApiError> {
        let answer = self.place.send(Method::POST, query, Some(xml::write(object)?))?;
        xml::read(answer, T::TAG)
    }

    /// The object with this identifier, whether it exists or not.
    pub fn id(&self, id: &Id) -> Resource<T> {
        Resource::at(self.place.below(id.as_str()))
    }

    /// An object that the engine has given.
    ///
    /// # Errors
    /// When it has no identifier.
    pub fn of(&self, object: &T) -> Result<Resource<T>, ApiError> {
        Ok(self.id(object.id()?))
    }

    /// Lets the engine leave out what has another name, where it can. Its search takes `*` for anything and has a grammar of
    /// its own, so a name that may mean more than itself is looked for here.
    fn narrowed_to(name: &str) -> Query {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if T::SEARCHED && !name.is_empty() && name.chars().all(plain) {
            return Query::new().search(format!("name={name}"));
        }
        Query::new()
    }
}

impl<T: Model> Resource<T> {
    fn at(place: Place) -> Self {
        Self { place, kind: PhantomData }
    }

    /// The object as it is now.
    pub fn get(&self) -> Result<T, ApiError> {
        self.get_with(&Query::new())
    }

    /// As [`get`](Self::get), with parameters.
    pub fn get_with(&self, query: &Query) -> Result<T, ApiError> {
        xml::read(self.place.send(Method::GET, query, None)?, T::TAG)
    }

    /// Changes what is set in `object`, and returns what the engine made of it.
    pub fn update(&self, object: &T) -> Result<T, ApiError> {
        self.update_with(object, &Query::new())
    }

    /// As [`update`](Self::update), with parameters.
    pub fn update_with(&self, object: &T, query: &Query) -> Result<T, ApiError> {
        let answer = self.place.send(Method::PUT, query, Some(xml::write(object)?))?;
        xml::read(answer, T::TAG)
    }

    /// Removes the object.
    pub fn remove(&self) -> Result<(), ApiError> {
        self.remove_with(&Query::new())
    }

    /// As [`remove`](Self::remove), with parameters.
    pub fn remove_with(&self, query: &Query) -> Result<(), ApiError> {
        xml::read_action(self.place.send(Method::DELETE, query, None)?).map(drop)
    }

    /// An action by its name in the API, with what it takes; returns what the engine answers. Those that are used often have
    /// a method of their own.
    pub fn action(&self, name: &str, action: &Action) -> Result<Action, ApiError> {
        self.action_with(name, action, &Query::new())
    }

    /// As [`action`](Self::action), with parameters.
    pub fn action_with(
        &self,
        name: &str,
        action: &Action,
        query: &Query,
    ) -> Result<Action, ApiError> {
        let body = Some(xml::write(action)?);
        xml::read_action(self.place.below(name).send(Method::POST, query, body)?)
    }

    /// An action that takes nothing, and tells nothing but whether it was done.
    pub(super) fn act(&self, name: &str) -> Result<(), ApiError> {
        self.action(name, &Action::default()).map(drop)
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collection(/{})", self.place.path.join("/"))
    }
}

impl<T> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource(/{})", self.place.path.join("/"))
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), kind: PhantomData }
    }
}

impl<T> Clone for Resource<T> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), kind: PhantomData }
    }
}

//! An XML element as a value: what libvirt's descriptions are made of. Escaping and writing are `quick-xml`'s.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;
use serde_json::Value;

use crate::spec::JsonMap;

/// One element with its attributes and its content.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    name: Cow<'static, str>,
    attributes: Vec<(Cow<'static, str>, String)>,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Empty,
    Text(String),
    Children(Vec<Element>),
}

impl Element {
    pub(crate) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), attributes: Vec::new(), content: Content::Empty }
    }

    /// An element that holds only text.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and references alike")]
    pub(crate) fn text(name: impl Into<Cow<'static, str>>, text: impl ToString) -> Self {
        Self { content: Content::Text(text.to_string()), ..Self::new(name) }
    }

    #[expect(clippy::needless_pass_by_value, reason = "numbers and references alike")]
    pub(crate) fn attribute(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl ToString,
    ) -> Self {
        self.attributes.push((key.into(), value.to_string()));
        self
    }

    pub(crate) fn child(self, child: Self) -> Self {
        self.children([child])
    }

    /// An element from a mapping in which `@name` is an attribute, `#text` the text, and anything else a child, or
    /// several when it is a list.
    pub(crate) fn from_json(name: impl Into<Cow<'static, str>>, content: &JsonMap) -> Self {
        let mut element = Self::new(name);
        for (key, value) in content {
            element = match key.strip_prefix('@') {
                Some(attribute) => element.attribute(attribute.to_owned(), plain(value)),
                None if key == "#text" => Self { content: Content::Text(plain(value)), ..element },
                None => element.children(Self::children_from_json(key, value)),
            };
        }
        element
    }

    fn children_from_json(name: &str, value: &Value) -> Vec<Self> {
        match value {
            Value::Array(items) => {
                items.iter().flat_map(|item| Self::children_from_json(name, item)).collect()
            }
            Value::Object(content) => vec![Self::from_json(name.to_owned(), content)],
            Value::Null => vec![Self::new(name.to_owned())],
            scalar => vec![Self::text(name.to_owned(), plain(scalar))],
        }
    }

    /// Appends children; text that was there before is replaced, as libvirt has no mixed content.
    pub(crate) fn children(mut self, more: impl IntoIterator<Item = Self>) -> Self {
        let mut children = match self.content {
            Content::Children(children) => children,
            Content::Empty | Content::Text(_) => Vec::new(),
        };
        children.extend(more);
        self.content =
            if children.is_empty() { Content::Empty } else { Content::Children(children) };
        self
    }

    /// The element as an indented document.
    pub(crate) fn to_document(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        self.write(&mut writer).expect("writing into memory does not fail");
        String::from_utf8(writer.into_inner()).expect("every part of it was a string")
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let element = writer
            .create_element(&*self.name)
            .with_attributes(self.attributes.iter().map(|(key, value)| (&**key, value.as_str())));
        match &self.content {
            Content::Empty => element.write_empty()?,
            Content::Text(text) => element.write_text_content(BytesText::new(text))?,
            Content::Children(children) => element.write_inner_content(|writer| {
                children.iter().try_for_each(|child| child.write(writer))
            })?,
        };
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn text_and_attributes_are_escaped() {
        let element = Element::new("host")
            .attribute("name", "a'b\"<c>&")
            .child(Element::text("description", "1 < 2 & ]]>"));
        insta::assert_snapshot!(element.to_document(), @r#"
        <host name="a&apos;b&quot;&lt;c&gt;&amp;">
          <description>1 &lt; 2 &amp; ]]&gt;</description>
        </host>
        "#);
    }
}

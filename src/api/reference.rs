//! The API's description as a page shows it.

use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Components, Content, KnownFormat, OpenApi, RefOr, Required, Schema};

use crate::model::reference::{self, Answer, Member, Reference};

const JSON: &str = "application/json";

/// For the server at `url`.
pub(super) fn of(document: &OpenApi, url: &str) -> Reference {
    let none = Components::new();
    let reader = Reader {
        components: document.components.as_ref().unwrap_or(&none),
        url,
    };
    let operations = document.paths.paths.iter().flat_map(|(path, item)| {
        let operations = methods(item).into_iter();
        let present = operations.filter_map(|(method, found)| Some((method, found.as_ref()?)));
        present.map(|(method, operation)| reader.operation(path, method, operation))
    });
    Reference {
        operations: operations.collect(),
    }
}

fn methods(item: &PathItem) -> [(&'static str, &Option<Operation>); 5] {
    [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ]
}

struct Reader<'a> {
    components: &'a Components,
    url: &'a str,
}

impl Reader<'_> {
    fn operation(
        &self,
        path: &str,
        method: &'static str,
        operation: &Operation,
    ) -> reference::Operation {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let body = operation.request_body.as_ref();
        let body = body.and_then(|body| body.content.get(JSON));
        let scope = scope(operation);
        let success = operation
            .responses
            .responses
            .iter()
            .find_map(|(status, response)| {
                let RefOr::T(response) = response else {
                    return None;
                };
                status
                    .starts_with('2')
                    .then_some(response.content.get(JSON)?)
            });
        let answer_fields = success.map(|content| self.fields(content));
        let (answers, errors) = self.answers(operation);
        reference::Operation {
            id: text(&operation.operation_id),
            method,
            path: path.to_owned(),
            summary: text(&operation.summary),
            description: text(&operation.description),
            parameters: operation
                .parameters
                .iter()
                .flatten()
                .map(|p| self.parameter(p))
                .collect(),
            fields: body.map(|content| self.fields(content)).unwrap_or_default(),
            answers,
            errors,
            // Those of every answer need no table.
            answer_fields: answer_fields
                .filter(|fields| fields.iter().any(|field| !field.meaning.is_empty()))
                .unwrap_or_default(),
            example: self.example(path, method, scope.is_some(), body),
            scope,
        }
    }

    fn parameter(&self, parameter: &Parameter) -> Member {
        let schema = parameter
            .schema
            .as_ref()
            .and_then(|schema| self.object(schema));
        Member {
            name: parameter.name.clone(),
            is_required: parameter.parameter_in == ParameterIn::Path
                || matches!(parameter.required, Required::True),
            kind: schema.map(kind).unwrap_or_default(),
            meaning: parameter
                .description
                .clone()
                .or_else(|| schema?.description.clone())
                .unwrap_or_default(),
        }
    }

    /// Of an object, or of each object in an array.
    fn fields(&self, content: &Content) -> Vec<Member> {
        let Some(object) = content
            .schema
            .as_ref()
            .and_then(|schema| self.object(schema))
        else {
            return vec![];
        };
        let field = |(name, schema): (&String, &RefOr<Schema>)| {
            let schema = self.schema(schema);
            let object = schema.and_then(|schema| self.object_of(schema));
            let meaning = match schema {
                Some(Schema::Array(array)) => array.description.clone(),
                _ => object.and_then(|object| object.description.clone()),
            };
            Member {
                name: name.clone(),
                is_required: object_requires(content, self, name),
                kind: match schema {
                    Some(Schema::Array(_)) => "list".to_owned(),
                    _ => object.map(kind).unwrap_or_default(),
                },
                meaning: meaning.unwrap_or_default(),
            }
        };
        object.properties.iter().map(field).collect()
    }

    /// Results and other successes, and errors.
    fn answers(&self, operation: &Operation) -> (Vec<Answer>, Vec<Answer>) {
        let (mut answers, mut errors) = (vec![], vec![]);
        for (status, response) in &operation.responses.responses {
            let RefOr::T(response) = response else {
                continue;
            };
            let content = response.content.get(JSON);
            let example = content.and_then(|content| content.example.as_ref());
            let word = example.and_then(|example| example.get("status"));
            let is_error = word.is_some_and(|word| word == "error");
            let has_no_body = content.is_none() && !status.starts_with('2');
            let to = if is_error || has_no_body {
                &mut errors
            } else {
                &mut answers
            };
            to.push(Answer {
                status: status.clone(),
                when: response.description.clone(),
                body: content
                    .map(|content| self.shown(content))
                    .unwrap_or_default(),
            });
        }
        (answers, errors)
    }

    fn example(
        &self,
        path: &str,
        method: &str,
        needs_token: bool,
        body: Option<&Content>,
    ) -> String {
        let path = path.replace("{id}", "1");
        let mut lines = vec![match (method, body) {
            ("GET", _) | ("POST", Some(_)) => format!("curl {}{path}", self.url),
            _ => format!("curl -X {method} {}{path}", self.url),
        }];
        if needs_token {
            lines.push("-H 'Authorization: Bearer lsk_…'".to_owned());
        }
        if let Some(body) = body {
            lines.push(format!("-H 'Content-Type: {JSON}'"));
            lines.push(format!("-d '{}'", self.shown(body)));
        }
        lines.join(" \\\n  ")
    }

    /// The example, its members in the order of the schema.
    fn shown(&self, content: &Content) -> String {
        let object = content
            .schema
            .as_ref()
            .and_then(|schema| self.object(schema));
        let order: Vec<&str> = object
            .map(|object| object.properties.keys().map(String::as_str).collect())
            .unwrap_or_default();
        content
            .example
            .as_ref()
            .map(|example| compact(example, &order))
            .unwrap_or_default()
    }

    fn object<'s>(&'s self, schema: &'s RefOr<Schema>) -> Option<&'s Object> {
        self.object_of(self.schema(schema)?)
    }

    fn object_of<'s>(&'s self, schema: &'s Schema) -> Option<&'s Object> {
        match schema {
            Schema::Object(object) => Some(object),
            Schema::Array(array) => match &array.items {
                utoipa::openapi::schema::ArrayItems::RefOrSchema(items) => self.object(items),
                utoipa::openapi::schema::ArrayItems::False => None,
            },
            // A body that may be left out.
            Schema::OneOf(one) => {
                let mut objects = one.items.iter().filter_map(|item| self.object(item));
                objects.find(|object| !object.properties.is_empty())
            }
            _ => None,
        }
    }

    fn schema<'s>(&'s self, schema: &'s RefOr<Schema>) -> Option<&'s Schema> {
        match schema {
            RefOr::T(schema) => Some(schema),
            RefOr::Ref(named) => {
                let name = named.ref_location.rsplit('/').next()?;
                self.schema(self.components.schemas.get(name)?)
            }
        }
    }
}

fn object_requires(content: &Content, reader: &Reader<'_>, name: &str) -> bool {
    let object = content
        .schema
        .as_ref()
        .and_then(|schema| reader.object(schema));
    object.is_some_and(|object| object.required.iter().any(|required| required == name))
}

/// The scope of a token.
fn scope(operation: &Operation) -> Option<String> {
    let needed = operation.security.as_ref()?.first()?;
    let needed = serde_json::to_value(needed).ok()?;
    let scopes = needed.get("token")?.as_array()?;
    Some(scopes.first()?.as_str()?.to_owned())
}

fn kind(object: &Object) -> String {
    if let Some(words) = &object.enum_values {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return words.join(", ");
    }
    let (types, is_nullable) = match &object.schema_type {
        SchemaType::Type(kind) => (Some(kind), false),
        SchemaType::Array(kinds) => {
            let kind = kinds.iter().find(|kind| **kind != Type::Null);
            (kind, kinds.contains(&Type::Null))
        }
        SchemaType::AnyValue => (None, false),
    };
    let word = match types {
        Some(Type::String) if is_date(object) => "YYYY-MM-DD",
        Some(Type::String) => "text",
        Some(Type::Integer | Type::Number) => "number",
        Some(Type::Boolean) => "true or false",
        Some(Type::Array) => "list",
        Some(Type::Object) => "object",
        Some(Type::Null) => "null",
        None => "anything",
    };
    let limit = match (object.min_length, object.max_length) {
        (Some(least), Some(most)) => format!(", {least} to {most} characters"),
        (None, Some(most)) => format!(", up to {most} characters"),
        (_, None) => String::new(),
    };
    format!(
        "{word}{limit}{}",
        if is_nullable { ", or null" } else { "" }
    )
}

fn is_date(object: &Object) -> bool {
    object.format == Some(SchemaFormat::KnownFormat(KnownFormat::Date))
}

fn compact(value: &Value, order: &[&str]) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| compact(item, order)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let place = |name: &str| order.iter().position(|known| *known == name);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("\"{name}\": {}", compact(value, &[])))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

//! What the headings of a table and the keys of an object mean.

use super::code_columns::{OWN, is_code, own_of_heading};
use super::options::{ImportOptions, Subject};
use super::statuses::{is_activating, refusal_of_heading};
use crate::model::fold::folded;
use crate::model::license::Status;
use crate::model::license::fields::{FIELDS, Field, LICENSE_KEY, STATUS, TRIAL};

const CREATED_AT: &str = "created_at";
const ID: &str = "id";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// An index into [`FIELDS`].
    Field(usize),
    /// An index into the columns that only activation codes have.
    Own(usize),
    /// Its yes means this status.
    Refusal(Status),
    CreatedAt,
    /// Which license an exported row was.
    Id,
    /// A column of our own export, or of our file of invalid rows, that an import does not need.
    ExportedOnly,
    /// Ignored because a person said so.
    Dropped,
    Unknown,
}

impl Column {
    /// As the person chose, otherwise as it is named.
    pub(super) fn of(heading: &str, options: &ImportOptions) -> Column {
        let is_of_codes = options.subject == Subject::Codes;
        let own = |name: &str| {
            OWN.iter()
                .position(|own| own.name == name && is_of_codes)
                .map(Column::Own)
        };
        match options.columns.get(heading.trim()).map(String::as_str) {
            None if is_of_codes => Column::of_code_heading(heading),
            None => Column::from_heading(heading),
            Some("") => Column::Dropped,
            Some(CREATED_AT) => Column::CreatedAt,
            Some(ID) => Column::Id,
            Some(name) => match (Field::index(name), refusal(name)) {
                (Some(index), _) => Column::Field(index),
                (None, Some(status)) => Column::Refusal(status),
                (None, None) => own(name).unwrap_or(Column::Unknown),
            },
        }
    }

    /// Only letters and digits count, without case, accents and what is in brackets. A bare `name`
    /// could be the tool's or the customer's, so it is unknown.
    pub(super) fn from_heading(heading: &str) -> Column {
        match normalized(heading).as_str() {
            "createdat" | "createdon" | "created" => Column::CreatedAt,
            "id" => Column::Id,
            "lastseenat" | "checkcount" | "activationcode" | "line" | "element" | "reason" => {
                Column::ExportedOnly
            }
            name => match FIELDS.iter().position(|field| is_named(field, name)) {
                Some(index) => Column::Field(index),
                None if is_activating(name) => Column::Field(STATUS),
                None => refusal_of_heading(name).map_or(Column::Unknown, Column::Refusal),
            },
        }
    }

    /// In a table of activation codes, which has the code in place of the license key.
    fn of_code_heading(heading: &str) -> Column {
        let name = normalized(heading);
        match (is_code(&name), own_of_heading(&name)) {
            (true, _) => Column::Field(LICENSE_KEY),
            (_, Some(index)) => Column::Own(index),
            (false, None) => match Column::from_heading(heading) {
                Column::Field(TRIAL) | Column::CreatedAt | Column::Id => Column::ExportedOnly,
                other => other,
            },
        }
    }

    /// The published name of a column that is imported.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Column::Field(index) => Some(FIELDS[index].name),
            Column::Own(index) => Some(OWN[index].name),
            Column::Refusal(status) => Some(status.as_str()),
            Column::CreatedAt => Some(CREATED_AT),
            Column::Id => Some(ID),
            Column::ExportedOnly | Column::Dropped | Column::Unknown => None,
        }
    }
}

impl Subject {
    /// What a column can be, with its words; the empty name is for one to ignore.
    pub fn meanings(self) -> Vec<(&'static str, String)> {
        let is_of_codes = self == Subject::Codes;
        let fields = FIELDS
            .iter()
            .enumerate()
            .filter(|(index, _)| !is_of_codes || *index != TRIAL);
        let fields = fields.map(|(index, field)| match index {
            LICENSE_KEY if is_of_codes => (field.name, "Activation code".to_owned()),
            _ => (field.name, field.short_label()),
        });
        let others: &[(&str, &str)] = match self {
            Subject::Codes => &OWN.each_ref().map(|own| (own.name, own.label)),
            Subject::Licenses => &[
                (CREATED_AT, "Creation time"),
                (ID, "License ID, as exported"),
            ],
        };
        let all = [
            (Status::Suspended.as_str(), "Suspended, if yes"),
            (Status::Revoked.as_str(), "Revoked, if yes"),
            ("", "Ignore"),
        ];
        let others = others.iter().chain(&all);
        fields
            .chain(others.map(|(name, words)| (*name, (*words).to_owned())))
            .collect()
    }
}

/// The status that a yes means.
fn refusal(name: &str) -> Option<Status> {
    Status::from_word(name).filter(|status| *status != Status::Activated)
}

/// As headings are compared: folded, letters and digits only, without what is in brackets.
pub(super) fn normalized(heading: &str) -> String {
    let end = heading.find(['(', '[']).filter(|end| *end > 0);
    let mut name = folded(&heading[..end.unwrap_or(heading.len())]);
    name.retain(char::is_alphanumeric);
    name
}

fn is_named(field: &Field, name: &str) -> bool {
    let own = field.name.bytes().filter(|c| *c != b'_');
    own.eq(name.bytes()) || field.headings.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::license::fields::EXPIRATION_DATE;

    #[test]
    fn published_names_and_headings_mean_their_fields() {
        for (index, field) in FIELDS.iter().enumerate() {
            for name in field.headings.iter().chain([&field.name]) {
                assert_eq!(Column::from_heading(name), Column::Field(index), "{name}");
            }
        }
        assert_eq!(Column::from_heading(CREATED_AT), Column::CreatedAt);
    }

    #[test]
    fn case_and_separators_do_not_matter() {
        let key = Field::index("license_key").unwrap();
        for name in [
            "MAC address",
            " mac-address ",
            "Mac_Address",
            "MACADDRESS",
            "Machine ID",
            "\u{200b}MAC-Adresse:",
            "Clé de licence",
            "MAC (as shown in the About box)",
        ] {
            assert_eq!(Column::from_heading(name), Column::Field(key), "{name}");
        }
        for name in [
            "Valid until",
            "Expire Date",
            "Last day",
            "Gültig bis",
            "ważny do",
            "Échéance",
        ] {
            let column = Column::from_heading(name);
            assert_eq!(column, Column::Field(EXPIRATION_DATE), "{name}");
        }
        for name in [
            "Blocked",
            "Is revoked",
            "gesperrt",
            "Revoked at",
            "Cancelled on",
        ] {
            let column = Column::from_heading(name);
            assert_eq!(column, Column::Refusal(Status::Revoked), "{name}");
        }
        for name in ["Disabled", "License suspended", "Inaktiv", "deaktiviert am"] {
            let column = Column::from_heading(name);
            assert_eq!(column, Column::Refusal(Status::Suspended), "{name}");
        }
        for name in [
            "Is active",
            "Licence enabled?",
            "Actif",
            "Activo",
            "Attivo",
            "Actief",
            "Aktywny",
            "Ativo",
        ] {
            assert_eq!(Column::from_heading(name), Column::Field(STATUS), "{name}");
        }
        assert_eq!(Column::from_heading("Last-Seen At"), Column::ExportedOnly);
        assert_eq!(Column::from_heading("name"), Column::Unknown);
    }

    #[test]
    fn a_column_is_what_the_person_says() {
        let chosen = [("Frist", "expiration_date"), ("MAC", ""), ("id", "")];
        let options = ImportOptions {
            columns: chosen
                .map(|(heading, name)| (heading.to_owned(), name.to_owned()))
                .into(),
            ..ImportOptions::default()
        };
        assert_eq!(
            Column::of(" Frist ", &options),
            Column::Field(EXPIRATION_DATE)
        );
        assert_eq!(Column::of("MAC", &options), Column::Dropped);
        assert_eq!(Column::of("id", &options), Column::Dropped);
        assert_eq!(Column::of("status", &options), Column::Field(STATUS));
    }
}

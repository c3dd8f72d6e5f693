//! What the columns of a table and the keys of an object stand for.

use std::collections::BTreeSet;

use super::{SheetDraft, shorten};

/// Names of ignored columns that are kept.
const IGNORED: usize = 50;

/// A field that is read from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    ToolName,
    LicenseKey,
    Status,
    UserId,
    ExpirationDate,
    Note,
    CreatedAt,
}

impl Field {
    /// The published name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Field::ToolName => "tool_name",
            Field::LicenseKey => "license_key",
            Field::Status => "status",
            Field::UserId => "user_id",
            Field::ExpirationDate => "expiration_date",
            Field::Note => "note",
            Field::CreatedAt => "created_at",
        }
    }

    /// Its place in a draft.
    pub(super) fn of(self, draft: &mut SheetDraft) -> &mut Option<String> {
        match self {
            Field::ToolName => &mut draft.tool_name,
            Field::LicenseKey => &mut draft.license_key,
            Field::Status => &mut draft.status,
            Field::UserId => &mut draft.user_id,
            Field::ExpirationDate => &mut draft.expiration_date,
            Field::Note => &mut draft.note,
            Field::CreatedAt => &mut draft.created_at,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Imported(Field),
    /// A column of our own export that no import changes.
    ExportedOnly,
    Unknown,
}

/// Without regard to case, spaces, `-` and `_`. A bare `name` could be the tool's or the customer's
/// and is unknown.
pub(super) fn meaning(name: &str) -> Meaning {
    let letters = name
        .chars()
        .filter(|c| !c.is_whitespace() && !"-_".contains(*c));
    let name: String = letters.flat_map(char::to_lowercase).collect();
    let field = match name.as_str() {
        "toolname" | "tool" | "productname" | "product" | "programname" | "program"
        | "software" => Field::ToolName,
        "licensekey" | "licencekey" | "key" | "machineid" | "machine" | "macaddress" | "mac"
        | "hardwareid" | "hwid" => Field::LicenseKey,
        "status" => Field::Status,
        "userid" | "username" | "user" | "customerid" | "customername" | "customer"
        | "clientid" | "clientname" | "client" => Field::UserId,
        "expirationdate" | "expiration" | "expirydate" | "expiry" | "expires" | "expireson"
        | "expiresat" | "validuntil" | "validto" | "ends" | "endson" | "enddate" => {
            Field::ExpirationDate
        }
        "notes" | "note" | "comments" | "comment" | "remarks" | "remark" => Field::Note,
        "createdat" | "createdon" | "created" => Field::CreatedAt,
        "id" | "lastseenat" | "checkcount" => return Meaning::ExportedOnly,
        _ => return Meaning::Unknown,
    };
    Meaning::Imported(field)
}

/// Names that stand for nothing here.
#[derive(Debug, Default)]
pub(super) struct Ignored(BTreeSet<String>);

impl Ignored {
    fn add(&mut self, name: &str) {
        if self.0.len() >= IGNORED {
            return;
        }
        self.0.insert(match name.trim() {
            "" => "(without a name)".to_owned(),
            name => shorten(name),
        });
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.0.into_iter().collect()
    }
}

/// The field that each name stands for; the error is a sentence about two names for one field.
pub(super) fn assign<'n>(
    names: impl Iterator<Item = &'n str>,
    ignored: &mut Ignored,
) -> Result<Vec<Option<Field>>, String> {
    let mut taken: Vec<(Field, &str)> = Vec::new();
    let mut fields = Vec::new();
    for name in names {
        fields.push(match meaning(name) {
            Meaning::Imported(field) => {
                if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == field) {
                    return Err(format!(
                        "`{}` and `{}` both stand for {}; keep one of them.",
                        shorten(other.trim()),
                        shorten(name.trim()),
                        field.as_str()
                    ));
                }
                taken.push((field, name));
                Some(field)
            }
            Meaning::ExportedOnly => None,
            Meaning::Unknown => {
                ignored.add(name);
                None
            }
        });
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 7] = [
        Field::ToolName,
        Field::LicenseKey,
        Field::Status,
        Field::UserId,
        Field::ExpirationDate,
        Field::Note,
        Field::CreatedAt,
    ];

    #[test]
    fn published_names_stand_for_their_fields() {
        for field in FIELDS {
            assert_eq!(meaning(field.as_str()), Meaning::Imported(field));
        }
    }

    #[test]
    fn case_and_separators_do_not_matter() {
        for name in [
            "MAC address",
            " mac-address ",
            "Mac_Address",
            "MACADDRESS",
            "Machine ID",
        ] {
            assert_eq!(
                meaning(name),
                Meaning::Imported(Field::LicenseKey),
                "{name}"
            );
        }
        assert_eq!(
            meaning("Valid until"),
            Meaning::Imported(Field::ExpirationDate)
        );
        assert_eq!(meaning("Last-Seen At"), Meaning::ExportedOnly);
        assert_eq!(meaning("name"), Meaning::Unknown);
    }

    #[test]
    fn two_names_for_one_field_are_both_named() {
        let mut ignored = Ignored::default();
        let message = assign(["Tool", "key", "Product"].into_iter(), &mut ignored).unwrap_err();
        assert!(message.contains("`Tool` and `Product`"), "{message}");
        assert!(message.contains("tool_name"), "{message}");
    }

    #[test]
    fn ignored_names_are_few_short_and_told_once() {
        let mut ignored = Ignored::default();
        for name in ["colour", " colour ", "", "id"] {
            assign([name].into_iter(), &mut ignored).unwrap();
        }
        assign(["x".repeat(1_000).as_str()].into_iter(), &mut ignored).unwrap();
        let long = format!("{}…", "x".repeat(120));
        let mut many = Ignored::default();
        (0..1_000).for_each(|n| many.add(&n.to_string()));
        assert_eq!(ignored.into_names(), ["(without a name)", "colour", &long]);
        assert_eq!(many.into_names().len(), 50);
    }
}

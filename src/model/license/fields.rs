//! The fields of a license that people set, declared once: everything that writes, reads, shows,
//! imports or searches a license uses this list.

use std::borrow::Cow;

use time::Date;

use super::Status;
use crate::error::Problem;
use crate::model::entitlements::{self, Entitlements};
use crate::model::fold::folded;
use crate::model::mac::canonical_key;
use crate::model::{date, text};

#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// In the API, files, forms and the database.
    pub name: &'static str,
    /// For people, as at the beginning of a sentence.
    pub label: &'static str,
    /// For developers: what the value is.
    pub meaning: &'static str,
    /// In characters; 0 if the kind determines it.
    pub limit: usize,
    /// How typed text is normalized for storage.
    pub kind: Kind,
    pub is_searchable: bool,
    /// Whether it is about a person: the audit log stores it where it can be erased.
    pub is_personal: bool,
    /// Accepted import headings besides the name, in eight languages: letters only, folded.
    pub headings: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Required,
    Line,
    Lines,
    Status,
    /// The last day of a license; none for a perpetual one.
    Date,
    /// Any other day, or none.
    Day,
    /// A line that programs compare.
    Name,
    /// Names, separated by commas; in JSON an array.
    Features,
    Data,
    /// [`YES`] or nothing; in JSON true or false.
    Flag,
}

pub const COUNT: usize = FIELDS.len();

/// Fields that were published first; in the API the others follow the ones that the server adds.
pub const PUBLISHED: usize = 5;

/// Indexes into [`FIELDS`].
pub const TOOL_NAME: usize = 0;
pub const LICENSE_KEY: usize = 1;
pub const STATUS: usize = 2;
pub const USER_ID: usize = 3;
pub const EXPIRATION_DATE: usize = 4;
pub const NOTE: usize = 5;
pub const TRIAL: usize = 11;
/// The first of them.
const ENTITLEMENTS: usize = 7;

/// In their published order.
pub const FIELDS: [Field; 12] = [
    Field {
        name: "tool_name",
        label: "The tool name",
        meaning: "The tool; compared byte for byte",
        limit: 100,
        kind: Kind::Required,
        is_searchable: true,
        is_personal: false,
        headings: &[
            "tool",
            "productname",
            "product",
            "programname",
            "program",
            "software",
            "application",
            "app",
            "anwendung",
            "aplicacion",
            "applicazione",
            "aplicacao",
            "aplikacja",
            "programm",
            "produkt",
            "produktname",
            "logiciel",
            "produit",
            "producto",
            "programa",
            "prodotto",
            "programma",
            "produto",
        ],
    },
    Field {
        name: "license_key",
        label: "The license key",
        meaning: "The machine ID; all spellings of a MAC address are one key",
        limit: 255,
        kind: Kind::Required,
        is_searchable: true,
        is_personal: false,
        headings: &[
            "licencekey",
            "key",
            "machineid",
            "machine",
            "macaddress",
            "mac",
            "hardwareid",
            "hwid",
            "deviceid",
            "device",
            "computerid",
            "fingerprint",
            "machinefingerprint",
            "gerateid",
            "lizenzschlussel",
            "schlussel",
            "maschinenid",
            "macadresse",
            "cle",
            "cledelicence",
            "adressemac",
            "identifiantmachine",
            "clave",
            "clavedelicencia",
            "direccionmac",
            "idmaquina",
            "chiave",
            "chiavedilicenza",
            "indirizzomac",
            "idmacchina",
            "licentiesleutel",
            "sleutel",
            "macadres",
            "klucz",
            "kluczlicencyjny",
            "adresmac",
            "idmaszyny",
            "chave",
            "chavedelicenca",
            "enderecomac",
        ],
    },
    Field {
        name: "status",
        label: "The status",
        meaning: "Whether the tool may run",
        limit: 0,
        kind: Kind::Status,
        is_searchable: false,
        is_personal: false,
        headings: &[
            "licensestatus",
            "licencestatus",
            "lizenzstatus",
            "licensestate",
            "licencestate",
            "state",
            "zustand",
            "lizenzzustand",
            "etat",
            "etatdelalicence",
            "estadodelalicencia",
            "statodellalicenza",
            "licentiestatus",
            "statuslicencji",
            "estadodalicenca",
            "statut",
            "estado",
            "stato",
            "situacao",
        ],
    },
    Field {
        name: "user_id",
        label: "The customer",
        meaning: "The customer",
        limit: 255,
        kind: Kind::Line,
        is_searchable: true,
        is_personal: true,
        headings: &[
            "username",
            "user",
            "customerid",
            "customername",
            "customer",
            "clientid",
            "clientname",
            "company",
            "licensee",
            "licensedto",
            "firma",
            "lizenznehmer",
            "client",
            "kunde",
            "kundenname",
            "benutzer",
            "nomduclient",
            "utilisateur",
            "cliente",
            "nombredelcliente",
            "usuario",
            "nomecliente",
            "klant",
            "klantnaam",
            "klient",
            "nazwaklienta",
            "nomedocliente",
        ],
    },
    Field {
        name: "expiration_date",
        label: "The expiration date",
        meaning: "The last day on which the license is valid; null for a perpetual license",
        limit: 0,
        kind: Kind::Date,
        is_searchable: false,
        is_personal: false,
        headings: &[
            "expiration",
            "expirydate",
            "expiry",
            "expires",
            "expireson",
            "expiresat",
            "expiredate",
            "exp",
            "expdate",
            "licenseexpiration",
            "licenseexpires",
            "licenseexpiry",
            "licenseexpirationdate",
            "licenseend",
            "licenseenddate",
            "licensevaliduntil",
            "expirationtime",
            "expirydatetime",
            "lizenzende",
            "lizenzgultigbis",
            "validuntil",
            "validtill",
            "validto",
            "validthru",
            "validthrough",
            "until",
            "till",
            "paiduntil",
            "lastday",
            "ends",
            "endson",
            "enddate",
            "ablaufdatum",
            "ablauf",
            "ablaufam",
            "gultigbis",
            "lauftab",
            "lauftabam",
            "laufzeitende",
            "enddatum",
            "dateexpiration",
            "datedexpiration",
            "expirele",
            "validejusquau",
            "valablejusquau",
            "datefin",
            "datedefin",
            "echeance",
            "datedecheance",
            "vencimiento",
            "fechadevencimiento",
            "fechavencimiento",
            "caducidad",
            "fechadecaducidad",
            "fechadeexpiracion",
            "validohasta",
            "vence",
            "expira",
            "scadenza",
            "datadiscadenza",
            "datascadenza",
            "validofinoal",
            "scade",
            "vervaldatum",
            "geldigtot",
            "verloopt",
            "verlooptop",
            "einddatum",
            "wygasa",
            "datawygasniecia",
            "waznydo",
            "waznado",
            "datawaznosci",
            "validade",
            "datadevalidade",
            "validoate",
            "vencimento",
            "datadevencimento",
            "datadeexpiracao",
        ],
    },
    Field {
        name: "note",
        label: "The note",
        meaning: "Your note",
        limit: 2_000,
        kind: Kind::Lines,
        is_searchable: true,
        is_personal: true,
        headings: &[
            "notes",
            "comments",
            "comment",
            "remarks",
            "remark",
            "notiz",
            "notizen",
            "bemerkung",
            "bemerkungen",
            "kommentar",
            "kommentare",
            "remarque",
            "remarques",
            "commentaire",
            "commentaires",
            "nota",
            "notas",
            "observaciones",
            "commento",
            "opmerking",
            "opmerkingen",
            "uwagi",
            "observacoes",
        ],
    },
    Field {
        name: "order_ref",
        label: "The order reference",
        meaning: "Your order reference",
        limit: 100,
        kind: Kind::Line,
        is_searchable: true,
        is_personal: true,
        headings: &[
            "order",
            "orderreference",
            "orderno",
            "ordernumber",
            "orderid",
            "invoice",
            "invoicenumber",
            "bestellung",
            "bestellnummer",
            "auftrag",
            "auftragsnummer",
            "rechnung",
            "rechnungsnummer",
            "commande",
            "numerodecommande",
            "facture",
            "pedido",
            "numerodepedido",
            "factura",
            "ordine",
            "fattura",
            "bestelling",
            "zamowienie",
            "encomenda",
        ],
    },
    Field {
        name: "edition",
        label: "The edition",
        meaning: "The edition that was sold; the tool decides what it offers",
        limit: entitlements::EDITION,
        kind: Kind::Name,
        is_searchable: false,
        is_personal: false,
        headings: &[
            "plan", "tier", "variant", "ausgabe", "edicion", "edizione", "editie", "edycja",
        ],
    },
    Field {
        name: "features",
        label: "The features",
        meaning: "Features besides those of the edition",
        limit: entitlements::MAX_FEATURES * (entitlements::FEATURE + 2),
        kind: Kind::Features,
        is_searchable: false,
        is_personal: false,
        headings: &[
            "feature",
            "modules",
            "options",
            "funktionen",
            "module",
            "fonctionnalites",
        ],
    },
    Field {
        name: "data",
        label: "The data",
        meaning: "Anything else for the tool, up to 1,024 bytes",
        limit: entitlements::DATA,
        kind: Kind::Data,
        is_searchable: false,
        is_personal: true,
        headings: &["metadata", "customdata"],
    },
    Field {
        name: "updates_until",
        label: "The last day of updates",
        meaning: "The last build date of the tool that the license covers",
        limit: 0,
        kind: Kind::Day,
        is_searchable: false,
        is_personal: false,
        headings: &[
            "updates",
            "maintenanceuntil",
            "maintenance",
            "supportuntil",
            "wartungbis",
            "updatesbis",
        ],
    },
    Field {
        name: "trial",
        label: "The trial",
        meaning: "Whether the license is a trial, which nobody has bought",
        limit: 0,
        kind: Kind::Flag,
        is_searchable: false,
        is_personal: false,
        headings: &["istrial", "testversion", "testlizenz", "demo"],
    },
];

/// [`Kind::Flag`] that is set, as text.
pub const YES: &str = "yes";

/// The values of a license that people set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Compared byte for byte.
    pub tool_name: String,
    /// The machine ID in its canonical spelling.
    pub license_key: String,
    pub status: Status,
    /// The customer, in the admin's words.
    pub user_id: Option<String>,
    /// None for a perpetual license.
    pub expiration_date: Option<Date>,
    /// By the admin; may have several lines.
    pub note: Option<String>,
    /// Of the purchase, in the shop's words.
    pub order_ref: Option<String>,
    /// Of this license alone; its activation code may have others.
    pub entitlements: Entitlements,
    /// Nobody has bought it.
    pub is_trial: bool,
}

impl Values {
    /// In the order of [`FIELDS`]; empty for none.
    pub fn texts(&self) -> [Cow<'_, str>; COUNT] {
        let Values {
            tool_name,
            license_key,
            status,
            user_id,
            expiration_date,
            note,
            order_ref,
            entitlements,
            is_trial,
        } = self;
        let [edition, features, data, updates_until] = entitlements.texts();
        [
            tool_name.into(),
            license_key.into(),
            status.as_str().into(),
            or_empty(user_id),
            expiration_date.map(date::format).unwrap_or_default().into(),
            or_empty(note),
            or_empty(order_ref),
            edition,
            features,
            data,
            updates_until,
            if *is_trial { YES } else { "" }.into(),
        ]
    }

    /// Parses what [`Values::texts`] wrote; the error is the index of a text that cannot be parsed.
    pub fn from_texts(texts: [&str; COUNT]) -> Result<Values, usize> {
        let [
            tool_name,
            license_key,
            status,
            user_id,
            expiration_date,
            note,
            order_ref,
            edition,
            features,
            data,
            updates_until,
            trial,
        ] = texts;
        let entitlements = [edition, features, data, updates_until];
        let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Values {
            tool_name: tool_name.to_owned(),
            license_key: license_key.to_owned(),
            status: Status::from_word(status).ok_or(STATUS)?,
            user_id: optional(user_id),
            expiration_date: match expiration_date {
                "" => None,
                day => Some(date::read(day).ok_or(EXPIRATION_DATE)?),
            },
            note: optional(note),
            order_ref: optional(order_ref),
            entitlements: Entitlements::from_texts(entitlements).map_err(|at| ENTITLEMENTS + at)?,
            is_trial: trial == YES,
        })
    }

    /// With this text of the field, as it is stored; the error is its index.
    pub fn with(&self, field: &Field, text: &str) -> Result<Values, usize> {
        let mut texts = self.texts();
        for (known, value) in FIELDS.iter().zip(&mut texts) {
            if known.name == field.name {
                *value = text.into();
            }
        }
        Values::from_texts(texts.each_ref().map(|text| &**text))
    }

    /// All searchable text, folded. Two marks after each text make every part of it begin a
    /// trigram, even a part of one or two characters.
    pub fn search_text(&self) -> String {
        let mut all = String::new();
        for (field, text) in FIELDS.iter().zip(self.texts()) {
            if field.is_searchable && !text.is_empty() {
                all.push_str(&folded(&text));
                all.push_str(TEXT_END);
            }
        }
        all
    }
}

/// Control characters, which no text of a license contains.
pub(crate) const TEXT_END: &str = "\u{3}\u{3}";

fn or_empty(text: &Option<String>) -> Cow<'_, str> {
    text.as_deref().unwrap_or_default().into()
}

impl Field {
    /// The index in [`FIELDS`].
    pub fn index(name: &str) -> Option<usize> {
        FIELDS.iter().position(|field| field.name == name)
    }

    /// `Customer` for `The customer`.
    pub fn short_label(&self) -> String {
        let label = self.label.strip_prefix("The ").unwrap_or(self.label);
        let mut letters = label.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters.as_str().chars()).collect()
    }

    /// Normalizes typed text for storage.
    pub fn clean(&self, typed: &str) -> Result<String, Problem> {
        let Field {
            name, label, limit, ..
        } = *self;
        match self.kind {
            Kind::Required => {
                let text = text::required(name, label, typed, limit)?;
                Ok(match name {
                    "license_key" => canonical_key(&text).into_owned(),
                    _ => text,
                })
            }
            Kind::Name => entitlements::parse_edition(typed),
            Kind::Line => text::optional(name, label, typed, limit),
            Kind::Features => entitlements::parse_features(typed),
            Kind::Data => entitlements::parse_data(typed),
            Kind::Flag => match typed.trim().to_lowercase().as_str() {
                "" | "no" | "false" | "0" => Ok(String::new()),
                YES | "true" | "1" => Ok(YES.to_owned()),
                _ => Err(Problem {
                    field: name,
                    message: format!(
                        "{label} is `{}`; it must be yes or no.",
                        text::shorten(typed)
                    ),
                }),
            },
            Kind::Lines => text::lines(name, label, typed, limit),
            Kind::Status => Ok(Status::parse(typed)?.as_str().to_owned()),
            Kind::Date | Kind::Day => match typed.trim() {
                day if day.is_empty() || date::read(day).is_some() => Ok(day.to_owned()),
                day => Err(Problem {
                    field: name,
                    message: format!(
                        "{label} `{day}` is not a calendar day; use YYYY-MM-DD, for example \
                         2026-12-31, or leave it empty{}.",
                        if self.is_term() {
                            " for a perpetual license"
                        } else {
                            ""
                        }
                    ),
                }),
            },
        }
    }

    pub fn is_date(&self) -> bool {
        matches!(self.kind, Kind::Date | Kind::Day)
    }

    /// Whether it says when the license expires.
    pub fn is_term(&self) -> bool {
        self.kind == Kind::Date
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_written_as_they_are_compared_and_name_one_field() {
        let mut seen = std::collections::HashSet::new();
        for heading in FIELDS.iter().flat_map(|field| field.headings) {
            assert!(heading.bytes().all(|c| c.is_ascii_lowercase()), "{heading}");
            assert!(seen.insert(heading), "{heading}");
        }
    }
}

//! What the ending of a file's name says about its content.

use super::{BOM, file_name, refused};
use crate::error::Error;

/// What a file is by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Excel,
    OpenDocument,
    Json,
    /// HTML or XML.
    Markup,
    Text,
}

impl Content {
    pub(super) fn of_text(text: &str) -> Content {
        let text = text.trim_start_matches(BOM);
        let mut signs = text.chars().filter(|c| !c.is_whitespace());
        match (signs.next(), signs.next()) {
            (Some('<'), _) => Content::Markup,
            (Some('{'), _) => Content::Json,
            // Some databases write headings as `[Tool],[Key]`.
            (Some('['), Some('{' | '[' | ']' | '"' | '-' | '0'..='9') | None) => Content::Json,
            _ => Content::Text,
        }
    }

    /// In a message, and the ending that such a file should have.
    fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Content::Excel => ("an Excel workbook", Some("xlsx")),
            Content::OpenDocument => ("an OpenDocument workbook", Some("ods")),
            Content::Json => ("JSON", Some("json")),
            Content::Markup => ("HTML or XML", None),
            Content::Text => ("plain text", Some("csv")),
        }
    }
}

/// What a name with one of these endings promises.
struct Promise {
    endings: &'static str,
    contents: &'static [Content],
    words: &'static str,
    format: &'static str,
}

const PROMISES: [Promise; 5] = [
    Promise {
        endings: "xlsx xlsm xltx xltm",
        contents: &[Content::Excel],
        words: "an Excel workbook",
        format: "`.xlsx`",
    },
    Promise {
        endings: "ods ots",
        contents: &[Content::OpenDocument],
        words: "an OpenDocument workbook",
        format: "`.ods`",
    },
    Promise {
        endings: "json",
        contents: &[Content::Json],
        words: "JSON",
        format: "JSON",
    },
    Promise {
        endings: "csv tsv tab",
        contents: &[Content::Text],
        words: "a table in plain text",
        format: "`CSV UTF-8`",
    },
    Promise {
        endings: "txt",
        contents: &[Content::Text, Content::Json],
        words: "plain text",
        format: "`CSV UTF-8`",
    },
];

/// Endings of files that cannot be imported, whatever is in them: `.xls` may be a workbook, a table or HTML.
const UNREADABLE: &str = "xls xlsb xlt fods numbers doc docx odt rtf pdf html htm xml dbf mdb accdb db sqlite sql \
                          zip gz 7z rar tar png jpg jpeg gif exe msi dll";

/// Of the last part of a path: what is before the last dot, and the ending in lower case.
fn split(name: &str) -> Option<(&str, String)> {
    let last = name.trim().rsplit(['/', '\\']).next()?;
    let (stem, ending) = last.rsplit_once('.')?;
    Some((stem, ending.to_lowercase()))
}

fn is_in(endings: &str, ending: &str) -> bool {
    endings.split_whitespace().any(|known| known == ending)
}

/// Refuses a name that says that the file cannot be imported.
pub(super) fn check_readable(name: &str) -> Result<(), Error> {
    match split(name) {
        Some((_, ending)) if is_in(UNREADABLE, &ending) => Err(refused(format!(
            "`{}` cannot be imported: its name ends in `.{ending}`. Open it in the program that it is from, and save it \
             as `.xlsx` or `CSV UTF-8`.",
            file_name(name)
        ))),
        _ => Ok(()),
    }
}

/// Refuses a name whose ending promises another content. A name without an ending, or with one that is not known,
/// promises nothing.
pub(super) fn check(name: &str, content: Content) -> Result<(), Error> {
    let Some((stem, ending)) = split(name) else {
        return Ok(());
    };
    let promise = PROMISES
        .iter()
        .find(|promise| is_in(promise.endings, &ending));
    let Some(promise) = promise.filter(|promise| !promise.contents.contains(&content)) else {
        return Ok(());
    };
    let (is, right) = content.words();
    let format = promise.format;
    let remedy = match right {
        Some(right) => {
            let stem = file_name(stem);
            format!("Rename it to `{stem}.{right}`, or save it again as {format}.")
        }
        None => format!("Open it in a spreadsheet program, and save it as {format}."),
    };
    Err(refused(format!(
        "`{}` is {is}, not {}. {remedy}",
        file_name(name),
        promise.words
    )))
}

#[cfg(test)]
mod tests {
    use super::super::decode;

    fn refusal(name: &str, content: &str) -> String {
        decode(name, content.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_name_that_contradicts_the_content_is_refused_with_the_right_one() {
        const JSON: &str = " [ {\"key\": \"K\"}]";
        for (name, content, right) in [
            ("my.customers.xlsx", "tool,key", Some("`my.customers.csv`")),
            ("C:\\a.b\\f.XLSM ", "tool,key", Some("`f.csv`")),
            ("f.ods", JSON, Some("`f.json`")),
            ("f.csv", JSON, Some("`f.json`")),
            ("f.tsv", "{}", Some("`f.json`")),
            ("f.json", "tool,key", Some("`f.csv`")),
            ("f.csv", "<!doctype html>", None),
        ] {
            let reason = refusal(name, content);
            assert_eq!(reason.contains("Rename"), right.is_some(), "{reason}");
            assert!(reason.contains(right.unwrap_or("HTML")), "{reason}");
        }
        let long = format!("{}.xlsx", "a".repeat(300));
        assert!(refusal(&long, "tool,key").contains("Rename"));
    }

    #[test]
    fn a_name_that_says_nothing_else_is_as_good_as_none() {
        for (name, content) in [
            ("", "tool,key"),
            ("customers", "tool,key"),
            ("customers", "[]"),
            ("customers 31.12.2027", "tool,key"),
            ("f.xlsx/customers.dat", "tool,key"),
            ("f.xlsx.csv", "tool,key"),
            ("f.TXT", "tool,key"),
            ("f.txt", "[]"),
            ("f.json", "[5]"),
            ("f.csv", "[Tool],[Key]"),
        ] {
            assert!(decode(name, content.as_bytes()).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_kind_of_file_that_cannot_be_read_is_refused_by_its_name() {
        for name in ["f.xls", "f.pdf", "f.csv.zip"] {
            let reason = refusal(name, "tool,key");
            assert!(reason.contains("name ends"), "{reason}");
        }
    }
}

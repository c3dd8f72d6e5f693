//! Sample code, from templates that an operator can replace or extend without rebuilding.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rocket_dyn_templates::minijinja::{Environment, UndefinedBehavior, Value};

/// In the data folder.
const FOLDER: &str = "templates";
const SUFFIX: &str = ".j2";

const MAX_CUSTOM_TEMPLATES: usize = 50;
const MAX_TEMPLATE_BYTES: u64 = 64 * 1024;

const BUILT_IN: [(&str, &str); 6] = [
    (
        "1-python.py.j2",
        include_str!("../../templates/snippets/1-python.py.j2"),
    ),
    (
        "2-csharp.cs.j2",
        include_str!("../../templates/snippets/2-csharp.cs.j2"),
    ),
    (
        "3-powershell.ps1.j2",
        include_str!("../../templates/snippets/3-powershell.ps1.j2"),
    ),
    (
        "4-javascript.mjs.j2",
        include_str!("../../templates/snippets/4-javascript.mjs.j2"),
    ),
    (
        "5-cpp.cpp.j2",
        include_str!("../../templates/snippets/5-cpp.cpp.j2"),
    ),
    (
        "6-curl.sh.j2",
        include_str!("../../templates/snippets/6-curl.sh.j2"),
    ),
];

pub(super) struct Snippet {
    /// The template's name without its suffix: `1-python.py`.
    pub(super) name: String,
    /// The error names the template, the line and what is wrong.
    pub(super) code: Result<String, String>,
}

/// Every snippet, rendered. A broken template does not affect the others.
pub(super) fn all(data_dir: &Path, values: &Value) -> Vec<Snippet> {
    let built_in = BUILT_IN.map(|(name, text)| (name.to_owned(), Ok(text.to_owned())));
    let mut templates: BTreeMap<String, Result<String, String>> = built_in.into_iter().collect();
    templates.extend(custom_templates(&data_dir.join(FOLDER)));
    let snippet = |(name, text): (String, Result<String, String>)| Snippet {
        code: text.and_then(|text| render(&name, &text, values)),
        name: name.trim_end_matches(SUFFIX).to_owned(),
    };
    templates.into_iter().map(snippet).collect()
}

fn custom_templates(folder: &Path) -> Vec<(String, Result<String, String>)> {
    // The folder is optional.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let mut names: Vec<String> = names
        .filter(|name| name.ends_with(SUFFIX) && name.chars().all(is_plain))
        .collect();
    names.sort();
    names.truncate(MAX_CUSTOM_TEMPLATES);
    let read = |name: String| {
        let text = read(&folder.join(&name)).map_err(|e| format!("{name} could not be read: {e}"));
        (name, text)
    };
    names.into_iter().map(read).collect()
}

fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MAX_TEMPLATE_BYTES {
        return Err(format!(
            "it has {size} bytes, and at most {MAX_TEMPLATE_BYTES} are allowed"
        ));
    }
    fs::read_to_string(path).map_err(|e| e.to_string())
}

fn render(name: &str, text: &str, values: &Value) -> Result<String, String> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| rocket_dyn_templates::minijinja::AutoEscape::None);
    for (filter, quote) in QUOTES {
        engine.add_filter(filter, move |text: &str| quote(text));
    }
    let rendered = engine
        .template_from_named_str(name, text)
        .and_then(|template| template.render(values));
    rendered.map_err(|error| {
        let line = error
            .line()
            .map_or(String::new(), |line| format!(", line {line}"));
        let detail = error
            .detail()
            .map_or(String::new(), |detail| format!(": {detail}"));
        format!("{name}{line}: {}{detail}", error.kind())
    })
}

type Quote = fn(&str) -> String;

/// How each language writes a string literal, by filter name.
const QUOTES: [(&str, Quote); 7] = [
    ("py", escaped),
    ("js", escaped),
    ("cs", escaped),
    ("cpp", octal),
    ("ps", powershell),
    ("cmd", windows_argument),
    ("sh", |text| single(text, "'\\''")),
];

/// In double quotes. Characters of the Basic Multilingual Plane outside ASCII become `\uXXXX`, which Python,
/// JavaScript and C# share; others are kept.
fn escaped(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            ' '..='~' => literal.push(c),
            c if u32::from(c) < 0x1_0000 => literal.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal + "\""
}

/// In double quotes, with each non-ASCII UTF-8 byte in octal: independent of the execution character set, and
/// not extended by a digit after it. The second of two question marks is escaped, because they begin a
/// trigraph.
fn octal(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => literal.extend(['\\', char::from(byte)]),
            b'?' if literal.ends_with('?') => literal.push_str("\\?"),
            b' '..=b'~' => literal.push(char::from(byte)),
            byte => literal.push_str(&format!("\\{byte:03o}")),
        }
    }
    literal + "\""
}

/// ASCII only, because Windows PowerShell reads a file without a byte order mark in the local code page.
fn powershell(text: &str) -> String {
    if text.is_ascii() {
        return single(text, "''");
    }
    let mut literal = String::from("\"");
    for unit in text.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some(c @ ('"' | '`' | '$')) => literal.extend(['`', c]),
            Some(c) if c.is_ascii() => literal.push(c),
            _ => literal.push_str(&format!("$([char]0x{unit:04x})")),
        }
    }
    literal + "\""
}

/// JSON text as one argument of a Windows program, in cmd.exe and after PowerShell's `--%`. Characters that these or
/// the code page would change become `\uXXXX`.
fn windows_argument(json: &str) -> String {
    let mut literal = String::from("\"");
    let mut chars = json.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => literal.push_str("\\\""),
            // A backslash before a quote would have to be doubled.
            '\\' => match chars.next() {
                Some('"') => literal.push_str("\\u0022"),
                Some('\\') => literal.push_str("\\u005c"),
                other => literal.extend(std::iter::once('\\').chain(other)),
            },
            ' ' => literal.push(' '),
            c if c.is_ascii_graphic() && !"&|<>^%!".contains(c) => literal.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    literal.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    literal + "\""
}

/// In single quotes; `escaped` replaces those inside the text.
fn single(text: &str, escaped: &str) -> String {
    format!("'{}'", text.replace('\'', escaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_literal() {
        let odd = "a\"b\\c'd$e`fä’😀";
        assert_eq!(escaped(odd), "\"a\\\"b\\\\c'd$e`f\\u00e4\\u2019😀\"");
        assert_eq!(
            octal("a\"b\\ä1’😀???/"),
            "\"a\\\"b\\\\\\303\\2441\\342\\200\\231\\360\\237\\230\\200?\\?\\?/\""
        );
        assert_eq!(powershell("a\"b'c$d`e"), "'a\"b''c$d`e'");
        assert_eq!(
            powershell("a\"b'c$d`eä’😀"),
            "\"a`\"b'c`$d``e$([char]0x00e4)$([char]0x2019)$([char]0xd83d)$([char]0xde00)\""
        );
        assert_eq!(
            windows_argument(r#"{"a":"b\"c\\d&%ä😀 e\n"}"#),
            r#""{\"a\":\"b\u0022c\u005cd\u0026\u0025\u00e4\ud83d\ude00 e\n\"}""#
        );
        let [.., (_, sh)] = QUOTES;
        assert_eq!(sh(odd), "'a\"b\\c'\\''d$e`fä’😀'");
    }

    #[test]
    fn a_broken_template_names_its_line_and_breaks_no_other() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(FOLDER).join(name), text).unwrap();
        };
        write("1-python.py.j2", "one\ntwo {{ nothing }}");
        write("7-lua.lua.j2", "tool = {{ tool_name|js }}");
        write("8-broken.j2", "{% if %}");
        let values = rocket_dyn_templates::minijinja::context! {
            tool_name => "T", server_url => "http://x", keys => Vec::<Value>::new(),
        };
        let all = all(folder.path(), &values);
        let code = |name: &str| &all.iter().find(|s| s.name == name).unwrap().code;
        assert!(
            code("1-python.py")
                .as_ref()
                .unwrap_err()
                .contains("1-python.py.j2, line 2")
        );
        assert!(
            code("8-broken")
                .as_ref()
                .unwrap_err()
                .contains("8-broken.j2, line 1")
        );
        assert_eq!(code("7-lua.lua").as_deref(), Ok("tool = \"T\""));
        assert!(code("4-javascript.mjs").is_ok() && all.len() == 8);
    }
}

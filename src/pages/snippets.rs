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

const BUILT_IN: [(&str, &str); 15] = [
    (
        "01-python.py.j2",
        include_str!("../../templates/snippets/01-python.py.j2"),
    ),
    (
        "02-csharp.cs.j2",
        include_str!("../../templates/snippets/02-csharp.cs.j2"),
    ),
    (
        "03-powershell.ps1.j2",
        include_str!("../../templates/snippets/03-powershell.ps1.j2"),
    ),
    (
        "04-javascript.mjs.j2",
        include_str!("../../templates/snippets/04-javascript.mjs.j2"),
    ),
    (
        "05-cpp.cpp.j2",
        include_str!("../../templates/snippets/05-cpp.cpp.j2"),
    ),
    (
        "06-delphi.pas.j2",
        include_str!("../../templates/snippets/06-delphi.pas.j2"),
    ),
    (
        "07-autohotkey.ahk.j2",
        include_str!("../../templates/snippets/07-autohotkey.ahk.j2"),
    ),
    (
        "08-vba.bas.j2",
        include_str!("../../templates/snippets/08-vba.bas.j2"),
    ),
    (
        "09-vbnet.vb.j2",
        include_str!("../../templates/snippets/09-vbnet.vb.j2"),
    ),
    (
        "10-innosetup.iss.j2",
        include_str!("../../templates/snippets/10-innosetup.iss.j2"),
    ),
    (
        "11-curl.sh.j2",
        include_str!("../../templates/snippets/11-curl.sh.j2"),
    ),
    (
        "12-python-editions.py.j2",
        include_str!("../../templates/snippets/12-python-editions.py.j2"),
    ),
    (
        "13-csharp-editions.cs.j2",
        include_str!("../../templates/snippets/13-csharp-editions.cs.j2"),
    ),
    (
        "14-javascript-editions.mjs.j2",
        include_str!("../../templates/snippets/14-javascript-editions.mjs.j2"),
    ),
    (
        "15-cpp-editions.cpp.j2",
        include_str!("../../templates/snippets/15-cpp-editions.cpp.j2"),
    ),
];

/// With activation codes, which must not travel without TLS.
const WITH_CODES: [(&str, &str); 5] = [
    (
        "21-python-activation.py.j2",
        include_str!("../../templates/snippets/21-python-activation.py.j2"),
    ),
    (
        "22-csharp-activation.cs.j2",
        include_str!("../../templates/snippets/22-csharp-activation.cs.j2"),
    ),
    (
        "23-electron-activation.mjs.j2",
        include_str!("../../templates/snippets/23-electron-activation.mjs.j2"),
    ),
    (
        "24-cpp-activation.cpp.j2",
        include_str!("../../templates/snippets/24-cpp-activation.cpp.j2"),
    ),
    (
        "25-claim-page.txt.j2",
        include_str!("../../templates/snippets/25-claim-page.txt.j2"),
    ),
];

pub(super) struct Snippet {
    /// The template's name without its suffix: `01-python.py`.
    pub(super) name: String,
    /// The error names the template, the line and what is wrong.
    pub(super) code: Result<String, String>,
}

/// Languages whose names are not those of their templates.
const LANGUAGES: [(&str, &str); 18] = [
    ("csharp", "C#"),
    ("powershell", "PowerShell"),
    ("javascript", "JavaScript"),
    ("cpp", "C++"),
    ("autohotkey", "AutoHotkey"),
    ("vba", "VBA"),
    ("vbnet", "VB.NET"),
    ("innosetup", "Inno Setup"),
    ("curl", "curl"),
    ("python-editions", "Python with editions and offline files"),
    ("csharp-editions", "C# with editions and offline files"),
    (
        "javascript-editions",
        "JavaScript with editions and offline files",
    ),
    ("cpp-editions", "C++ with editions and offline files"),
    ("python-activation", "Python with activation codes"),
    ("csharp-activation", "C# with activation codes"),
    ("electron-activation", "Electron with activation codes"),
    ("cpp-activation", "C++ with activation codes"),
    ("claim-page", "Activation codes without a dialog"),
];

impl Snippet {
    /// `C#` of `02-csharp.cs`.
    pub(super) fn language(&self) -> String {
        let name = self
            .name
            .split_once('-')
            .map_or(&*self.name, |(_, name)| name);
        let name = name.split('.').next().unwrap_or_default();
        if let Some((_, language)) = LANGUAGES.iter().find(|(known, _)| *known == name) {
            return (*language).to_owned();
        }
        let mut letters = name.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters.as_str().chars()).collect()
    }

    /// `YourTool-license.cs`, in letters that every file system takes.
    pub(super) fn file_name(&self, tool_name: &str) -> String {
        let ending = self
            .name
            .split_once('.')
            .map_or("txt", |(_, ending)| ending);
        let tool: String = tool_name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        format!("{tool}-license.{ending}")
    }
}

/// Every snippet, rendered. A broken template does not affect the others.
pub(super) fn all(data_dir: &Path, values: &Value, has_tls: bool) -> Vec<Snippet> {
    let with_codes = WITH_CODES.into_iter().filter(|_| has_tls);
    let built_in = BUILT_IN.into_iter().chain(with_codes);
    let built_in = built_in.map(|(name, text)| (name.to_owned(), Ok(text.to_owned())));
    let mut templates: BTreeMap<String, Result<String, String>> = built_in.collect();
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
const QUOTES: [(&str, Quote); 10] = [
    ("py", escaped),
    ("js", escaped),
    ("cs", escaped),
    ("cpp", wide),
    ("pas", pascal),
    ("ahk", autohotkey),
    ("vb", basic),
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

/// A C++ literal of `wchar_t`, ASCII only. The second of two question marks is escaped, because they begin a trigraph.
fn wide(text: &str) -> String {
    let mut literal = String::from("L\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '?' if literal.ends_with('?') => literal.push_str("\\?"),
            ' '..='~' => literal.push(c),
            c if u32::from(c) < 0xa0 => literal.push_str(&format!("\\{:03o}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => literal.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => literal.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    literal + "\""
}

/// In single quotes; each UTF-16 unit that is not ASCII is written between two literals, as `#228`.
fn pascal(text: &str) -> String {
    outside(text, "'", |unit| format!("'#{unit}'"))
}

/// In double quotes; each UTF-16 unit that is not ASCII is added as `ChrW(228)`, because VBA reads a module in the
/// local code page.
fn basic(text: &str) -> String {
    outside(text, "\"", |unit| format!("\" & ChrW({unit}) & \""))
}

/// Between these quotation marks, which are doubled inside; `spelled` interrupts the literal.
fn outside(text: &str, quote: &str, spelled: fn(u16) -> String) -> String {
    let mut literal = quote.to_owned();
    for unit in text.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(c) if quote.starts_with(c) => literal.push_str(&quote.repeat(2)),
            // Inno Setup would expand `{#`.
            Ok(c @ ' '..='~') if c != '{' => literal.push(c),
            _ => literal.push_str(&spelled(unit)),
        }
    }
    literal + quote
}

/// In double quotes. A semicolon after a space would begin a comment.
fn autohotkey(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '`' | ';') {
            literal.push('`');
        }
        literal.push(c);
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
        assert_eq!(powershell("a\"b'c$d`e"), "'a\"b''c$d`e'");
        assert_eq!(
            powershell("a\"b'c$d`eä’😀"),
            "\"a`\"b'c`$d``e$([char]0x00e4)$([char]0x2019)$([char]0xd83d)$([char]0xde00)\""
        );
        assert_eq!(
            windows_argument(r#"{"a":"b\"c\\d&%ä😀 e\n"}"#),
            r#""{\"a\":\"b\u0022c\u005cd\u0026\u0025\u00e4\ud83d\ude00 e\n\"}""#
        );
        assert_eq!(
            wide("a\"b\\ä1’😀??/"),
            "L\"a\\\"b\\\\\\u00e41\\u2019\\U0001f600?\\?/\""
        );
        assert_eq!(pascal("a'{#ä😀"), "'a'''#123'#'#228''#55357''#56832''");
        assert_eq!(basic("a'b\"ä"), "\"a'b\"\"\" & ChrW(228) & \"\"");
        assert_eq!(autohotkey("a\"b`ä ;"), "\"a`\"b``ä `;\"");
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
        write("01-python.py.j2", "one\ntwo {{ nothing }}");
        write("12-lua.lua.j2", "tool = {{ tool_name|js }}");
        write("13-broken.j2", "{% if %}");
        let values = rocket_dyn_templates::minijinja::context! {
            tool_name => "T", server_url => "http://x", keys => Vec::<Value>::new(),
        };
        let all = all(folder.path(), &values, false);
        let code = |name: &str| &all.iter().find(|s| s.name == name).unwrap().code;
        assert!(
            code("01-python.py")
                .as_ref()
                .unwrap_err()
                .contains("01-python.py.j2, line 2")
        );
        assert!(
            code("13-broken")
                .as_ref()
                .unwrap_err()
                .contains("13-broken.j2, line 1")
        );
        assert_eq!(code("12-lua.lua").as_deref(), Ok("tool = \"T\""));
        assert!(code("04-javascript.mjs").is_ok() && all.len() == 17);
    }
}

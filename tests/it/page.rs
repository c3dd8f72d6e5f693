//! A page as a browser reads it, and its forms as a browser sends them.

use scraper::{ElementRef, Html, Selector};

use crate::server::{Answer, Client};

/// A page at the end of all redirects.
pub struct Page {
    pub status: u16,
    /// Below the base path, with the query.
    pub path: String,
    html: Html,
}

/// A form with the values that stand in it.
pub struct Form {
    action: String,
    is_post: bool,
    controls: Vec<Control>,
}

struct Control {
    name: String,
    value: String,
    kind: Kind,
}

enum Kind {
    Typed {
        most: usize,
        is_required: bool,
    },
    Chosen {
        options: Vec<String>,
    },
    Fixed,
    /// Its words, and what a screen reader says instead.
    Button {
        text: String,
        label: String,
    },
}

impl Page {
    /// Asks for the page at `path` and follows where it leads.
    pub fn open(client: &mut Client, path: &str) -> Page {
        let answer = client.get(path);
        Page::after(client, path, answer)
    }

    /// The page that this answer is, or leads to.
    pub fn after(client: &mut Client, path: &str, mut answer: Answer) -> Page {
        let mut path = path.to_owned();
        for _ in 0..5 {
            if !matches!(answer.status, 302 | 303) {
                assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
                return Page {
                    status: answer.status,
                    path,
                    html: Html::parse_document(&answer.body),
                };
            }
            path = below_base(client, answer.header("location"));
            answer = client.get(&path);
        }
        panic!("{path} redirects without end");
    }

    /// Every element that the CSS selector finds.
    pub fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        let selector = Selector::parse(selector).unwrap_or_else(|e| panic!("{selector}: {e}"));
        self.html.select(&selector).collect()
    }

    /// The text of every element that the selector finds.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.all(selector).into_iter().map(text).collect()
    }

    /// The text of the whole page.
    pub fn text(&self) -> String {
        self.texts("body").concat()
    }

    pub fn heading(&self) -> String {
        self.texts("h1").concat()
    }

    /// The title, without the product's name.
    pub fn title(&self) -> String {
        let title = self.texts("title").concat();
        title
            .strip_suffix(" · License Server")
            .unwrap_or_else(|| panic!("{title}"))
            .to_owned()
    }

    /// The line that tells the result of the last form.
    pub fn flash(&self) -> Option<String> {
        self.texts("main [role=status]").pop()
    }

    /// The words that alert the reader.
    pub fn alert(&self) -> String {
        self.texts("[role=alert]").concat()
    }

    /// Text and address of every link.
    pub fn links(&self) -> Vec<(String, String)> {
        let link = |a: ElementRef<'_>| (text(a), attribute(a, "href").to_owned());
        self.all("a[href]").into_iter().map(link).collect()
    }

    pub fn has_link(&self, words: &str) -> bool {
        self.links().iter().any(|(text, _)| text == words)
    }

    /// Follows the first link of these words.
    pub fn follow(&self, client: &mut Client, words: &str) -> Page {
        let links = self.links();
        let found = links.iter().find(|(text, _)| text == words);
        let (_, address) = found.unwrap_or_else(|| panic!("no link {words:?} in {links:?}"));
        let path = below_base(client, address);
        Page::open(client, &path)
    }

    /// The cells of each line of the table.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let cells = |row: ElementRef<'_>| {
            let cells = row.child_elements();
            let is_read =
                |cell: &ElementRef<'_>| !["select", "renew"].contains(&attribute(*cell, "class"));
            cells.filter(is_read).map(text).collect()
        };
        self.all("tbody tr").into_iter().map(cells).collect()
    }

    /// The first cell of each line: its license key.
    pub fn keys(&self) -> Vec<String> {
        self.texts("tbody tr th[scope=row]")
    }

    /// What a screen reader says about a value that was not taken.
    pub fn problem(&self, field: &str) -> Option<String> {
        let input = self
            .all(&format!("[name={field}][aria-invalid=true]"))
            .pop()?;
        let described = attribute(input, "aria-describedby").split_whitespace();
        let words: Vec<String> = described
            .flat_map(|id| self.texts(&format!("[id='{id}']")))
            .collect();
        assert!(!words.is_empty(), "{field} is invalid without a word why");
        Some(words.join(" "))
    }

    /// The fields that were not taken.
    pub fn invalid_fields(&self) -> Vec<&str> {
        let inputs = self.all("[aria-invalid=true]").into_iter();
        inputs.map(|input| attribute(input, "name")).collect()
    }

    /// The suggestions of an input.
    pub fn suggestions(&self, field: &str) -> Vec<&str> {
        let input = self.all(&format!("input[name={field}][list]"))[0];
        let options = self.all(&format!("datalist[id={}] option", attribute(input, "list")));
        options
            .into_iter()
            .map(|option| attribute(option, "value"))
            .collect()
    }

    /// The one form whose action ends so, or that has a button of these words.
    pub fn form(&self, which: &str) -> Form {
        let forms = self.all("form").into_iter().map(|form| self.read(form));
        let mut found: Vec<Form> = forms
            .filter(|form| {
                if which.starts_with('/') {
                    form.action.ends_with(which)
                } else {
                    form.buttons().any(|text| text == which)
                }
            })
            .collect();
        assert_eq!(found.len(), 1, "forms {which:?} in {}", self.text());
        found.remove(0)
    }
}

impl Page {
    /// The controls of a form stand inside it, or name it.
    fn read(&self, form: ElementRef<'_>) -> Form {
        let selector = Selector::parse("input, select, button, textarea").unwrap();
        let own = form.select(&selector);
        let own = own.filter(|control| control.value().attr("form").is_none());
        let elsewhere = match form.value().id() {
            Some(id) => self.all(&format!("[form='{id}']")),
            None => vec![],
        };
        Form {
            action: attribute(form, "action").to_owned(),
            is_post: attribute(form, "method") == "post",
            controls: own.chain(elsewhere).filter_map(Control::read).collect(),
        }
    }
}

impl Form {
    /// The texts of the buttons.
    pub fn buttons(&self) -> impl Iterator<Item = &str> {
        self.controls
            .iter()
            .filter_map(|control| match &control.kind {
                Kind::Button { text, label } => Some([text.as_str(), label]),
                _ => None,
            })
            .flatten()
    }

    /// The present value of a field.
    pub fn value(&self, name: &str) -> &str {
        &self.control(name).value
    }

    fn control(&self, name: &str) -> &Control {
        let found = self.controls.iter().find(|control| control.name == name);
        found.unwrap_or_else(|| panic!("no field {name} in the form to {}", self.action))
    }

    /// Types or chooses a value, as far as a browser lets a person do that.
    pub fn fill(self, name: &str, value: &str) -> Form {
        match &self.control(name).kind {
            Kind::Typed { most, .. } => {
                assert!(value.encode_utf16().count() <= *most, "{name} is cut");
            }
            Kind::Chosen { options } => {
                assert!(options.iter().any(|o| o == value), "{value:?}: {options:?}");
            }
            Kind::Fixed | Kind::Button { .. } => panic!("{name} cannot be filled in"),
        }
        self.set(name, value)
    }

    /// Puts a value where no person could.
    pub fn set(mut self, name: &str, value: &str) -> Form {
        let control = self.controls.iter_mut().find(|c| c.name == name);
        control.unwrap().value = value.to_owned();
        self
    }

    /// Takes a field out of the form, which no person could.
    pub fn without(mut self, name: &str) -> Form {
        self.controls.retain(|control| control.name != name);
        self
    }

    /// Presses the button of these words.
    pub fn submit(&self, client: &mut Client, button: &str) -> Page {
        assert!(
            self.buttons().any(|text| text == button),
            "no button {button:?} in the form to {}",
            self.action
        );
        let is_sent = |control: &&Control| match &control.kind {
            Kind::Typed { is_required, .. } => {
                assert!(
                    !is_required || !control.value.is_empty(),
                    "{}",
                    control.name
                );
                true
            }
            Kind::Chosen { .. } | Kind::Fixed => true,
            Kind::Button { text, label } => text == button || label == button,
        };
        let sent = self.controls.iter().filter(is_sent);
        let body: Vec<String> = sent
            .filter(|control| !control.name.is_empty())
            .map(|c| format!("{}={}", urlencoded(&c.name), urlencoded(&c.value)))
            .collect();
        self.send(client, body.join("&").as_bytes())
    }

    /// Sends these bytes in place of the fields.
    pub fn send(&self, client: &mut Client, body: &[u8]) -> Page {
        let path = below_base(client, &self.action);
        if !self.is_post {
            let query = std::str::from_utf8(body).unwrap();
            return Page::open(client, &format!("{path}?{query}"));
        }
        let origin = client.origin();
        let said = |header: &&(&str, &str)| {
            let own = |(name, _): &(String, String)| name == header.0;
            !client.headers.iter().any(own)
        };
        let headers: Vec<(&str, &str)> = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", &origin),
            ("Sec-Fetch-Site", "same-origin"),
        ]
        .iter()
        .filter(said)
        .copied()
        .collect();
        let answer = client.send("POST", &path, &headers, body);
        Page::after(client, &path, answer)
    }
}

impl Control {
    /// None for what is never sent: a box that is not ticked, or a control without use.
    fn read(element: ElementRef<'_>) -> Option<Control> {
        let of = |name| element.value().attr(name);
        let mut value = of("value").unwrap_or_default().to_owned();
        let kind = match (element.value().name(), of("type").unwrap_or("text")) {
            ("button", _) => Kind::Button {
                text: text(element),
                label: of("aria-label").unwrap_or_default().to_owned(),
            },
            ("textarea", _) => {
                value = element.text().collect();
                Kind::Typed {
                    most: of("maxlength").map_or(usize::MAX, |most| most.parse().unwrap()),
                    is_required: of("required").is_some(),
                }
            }
            ("select", _) => {
                let (options, chosen) = options(element);
                value = chosen;
                Kind::Chosen { options }
            }
            (_, "hidden") => Kind::Fixed,
            (_, "checkbox" | "radio") if of("checked").is_some() => Kind::Fixed,
            (_, "checkbox" | "radio") => return None,
            _ => Kind::Typed {
                most: of("maxlength").map_or(usize::MAX, |most| most.parse().unwrap()),
                is_required: of("required").is_some(),
            },
        };
        (of("disabled").is_none() && of("hidden").is_none()).then(|| Control {
            name: of("name").unwrap_or_default().to_owned(),
            value,
            kind,
        })
    }
}

/// The values of a select's options, and the chosen one: the first, where none is marked.
fn options(select: ElementRef<'_>) -> (Vec<String>, String) {
    let selector = Selector::parse("option").unwrap();
    let options: Vec<ElementRef<'_>> = select.select(&selector).collect();
    // Without a value of its own an option stands for its text, as the browser shows that.
    let value = |option: &ElementRef<'_>| {
        let own = option.value().attr("value").map(str::to_owned);
        own.unwrap_or_else(|| text(*option))
    };
    let is_marked = |option: &&ElementRef<'_>| option.value().attr("selected").is_some();
    let chosen = options.iter().find(is_marked).or(options.first());
    (
        options.iter().map(value).collect(),
        chosen.map(value).unwrap_or_default(),
    )
}

/// An address on one of our pages as a path below the base path; leading out of it is a mistake.
fn below_base(client: &Client, address: &str) -> String {
    let path = address
        .strip_prefix(client.base())
        .filter(|path| path.starts_with('/') && !path.starts_with("//"));
    path.unwrap_or_else(|| panic!("{address:?} leads away"))
        .to_owned()
}

fn attribute<'p>(element: ElementRef<'p>, name: &str) -> &'p str {
    element.value().attr(name).unwrap_or_default()
}

/// White space counts as a browser shows it.
fn text(element: ElementRef<'_>) -> String {
    let all: String = element.text().collect();
    let words: Vec<&str> = all.split_ascii_whitespace().collect();
    words.join(" ")
}

/// As in a form or a query.
pub fn urlencoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

//! A page as a browser reads it, and its forms as a browser sends them.

use scraper::{ElementRef, Html, Selector};

use crate::server::{Answer, Client};

/// Addresses of pages; only these tests know them.
pub mod address {
    pub const DIAGNOSE: &str = "/diagnose";
    pub const UNLICENSED: &str = "/unlicensed";
}

/// Filters of the table of licenses by expiration date and by use, as they are in an address.
pub mod filter {
    pub const EXPIRES_IN_7_DAYS: &str = "expires=next-7-days";
    pub const EXPIRES_IN_30_DAYS: &str = "expires=next-30-days";
    pub const EXPIRES_IN_90_DAYS: &str = "expires=next-90-days";
    pub const EXPIRED: &str = "expires=expired";
    pub const EXPIRED_IN_LAST_30_DAYS: &str = "expires=last-30-days";
    pub const EXPIRED_IN_LAST_90_DAYS: &str = "expires=last-90-days";
    pub const NOT_EXPIRED: &str = "expires=not-expired";
    pub const PERPETUAL: &str = "expires=never";
    pub const UNKNOWN_PERIOD: &str = "expires=next-week";
    pub const NO_PERIOD: &str = "expires=%00";
    pub const FROM: &str = "from";
    pub const UNTIL: &str = "until";
    pub const SEEN_AFTER_EXPIRATION: &str = "seen=after-expiration";
    pub const NEVER_SEEN: &str = "seen=never";
    pub const NOT_SEEN_FOR_30_DAYS: &str = "seen=not-for-30-days";
    pub const NOT_SEEN_FOR_90_DAYS: &str = "seen=not-for-90-days";
}

/// A page at the end of all redirects.
pub struct Page {
    pub status: u16,
    /// Below the base path, with the query.
    pub path: String,
    base: String,
    html: Html,
}

/// A form and the current values of its controls.
#[derive(Clone)]
pub struct Form {
    action: String,
    is_post: bool,
    controls: Vec<Control>,
}

#[derive(Clone)]
struct Control {
    name: String,
    value: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Typed { most: usize, is_required: bool },
    Chosen { options: Vec<String> },
    Fixed,
    Button,
}

impl Page {
    /// Opens the page at `path` and follows redirects.
    pub fn open(client: &mut Client, path: &str) -> Page {
        let answer = client.get(path);
        Page::after(client, path, answer)
    }

    /// The page of this answer, after any redirects.
    pub fn after(client: &mut Client, path: &str, mut answer: Answer) -> Page {
        let mut path = path.to_owned();
        for _ in 0..5 {
            if !matches!(answer.status, 302 | 303) {
                assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
                return Page {
                    status: answer.status,
                    path,
                    base: client.base().to_owned(),
                    html: Html::parse_document(&answer.body),
                };
            }
            path = below_base(client, answer.header("location"));
            answer = client.get(&path);
        }
        panic!("{path} redirects for ever");
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

    /// The message about the result of the last form.
    pub fn flash(&self) -> Option<String> {
        self.texts("main [role=status]").pop()
    }

    /// The text of all alerts.
    pub fn alert(&self) -> String {
        self.texts("[role=alert]").concat()
    }

    /// Text and address of every link.
    pub fn links(&self) -> Vec<(String, String)> {
        let link = |a: ElementRef<'_>| (text(a), attribute(a, "href").to_owned());
        self.all("a[href]").into_iter().map(link).collect()
    }

    /// The first link to this address, or else the first whose address contains it.
    pub fn link(&self, address: &str) -> Option<String> {
        let addresses: Vec<String> = self.links().into_iter().map(|(_, to)| to).collect();
        let is_exact = |to: &&String| to.strip_prefix(&*self.base) == Some(address);
        let exact = addresses.iter().find(is_exact);
        let found = exact.or_else(|| addresses.iter().find(|to| to.contains(address)));
        found.cloned()
    }

    pub fn has_link(&self, address: &str) -> bool {
        self.link(address).is_some()
    }

    /// Follows the link that [`Page::link`] finds.
    pub fn follow(&self, client: &mut Client, address: &str) -> Page {
        let found = self.link(address);
        let found = found.unwrap_or_else(|| panic!("no {address:?} in {:?}", self.links()));
        Page::open(client, &below_base(client, &found))
    }

    /// Follows the first link with exactly this text: a key, a tool or a customer, not a caption.
    pub fn follow_text(&self, client: &mut Client, text: &str) -> Page {
        let links = self.links();
        let found = links.iter().find(|(words, _)| words == text);
        let (_, address) = found.unwrap_or_else(|| panic!("no {text:?} in {links:?}"));
        Page::open(client, &below_base(client, address))
    }

    /// The next page of a table.
    pub fn next(&self, client: &mut Client) -> Option<Page> {
        self.neighbor(client, "next")
    }

    /// The previous page of a table.
    pub fn previous(&self, client: &mut Client) -> Option<Page> {
        self.neighbor(client, "prev")
    }

    fn neighbor(&self, client: &mut Client, rel: &str) -> Option<Page> {
        let link = self.all(&format!("a[rel={rel}]")).pop()?;
        let path = below_base(client, attribute(link, "href"));
        // A browser does not send the fragment either.
        let path = path.split('#').next().unwrap_or_default();
        Some(Page::open(client, path))
    }

    /// The data of each row of the tables: no controls, no remarks in small print, and nothing for
    /// a value that is missing.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let cells = |row: ElementRef<'_>| {
            let cells = row.child_elements();
            let is_data = |cell: &ElementRef<'_>| {
                !["select", "renew", "do"].contains(&attribute(*cell, "class"))
            };
            cells.filter(is_data).map(data).collect()
        };
        self.all("tbody tr").into_iter().map(cells).collect()
    }

    /// The license key of each row.
    pub fn keys(&self) -> Vec<String> {
        self.texts("tbody tr th[scope=row]")
    }

    /// The description of an invalid value, as a screen reader reads it.
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

    /// The names of the invalid fields.
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

    /// The one form whose action ends with this.
    pub fn form(&self, action: &str) -> Form {
        self.only(&|form| form.action.ends_with(action), action)
    }

    pub fn has_form(&self, action: &str) -> bool {
        let mut forms = self.all("form").into_iter();
        forms.any(|form| attribute(form, "action").ends_with(action))
    }

    /// The one form with the button that [`Form::press`] would press.
    pub fn form_with(&self, button: &str) -> Form {
        self.only(&|form| form.button(button).is_some(), button)
    }

    /// Presses the button in the one form that has it.
    pub fn press(&self, client: &mut Client, button: &str) -> Page {
        self.form_with(button).press(client, button)
    }

    fn only(&self, is_it: &dyn Fn(&Form) -> bool, which: &str) -> Form {
        let forms = self.all("form").into_iter().map(|form| self.read(form));
        let mut found: Vec<Form> = forms.filter(is_it).collect();
        assert_eq!(found.len(), 1, "forms {which:?} in {}", self.text());
        found.remove(0)
    }
}

impl Page {
    /// The controls of a form are inside it or name it.
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
    /// The button with this `name=value`, or else the first that begins with it.
    fn button(&self, which: &str) -> Option<&Control> {
        let named = |control: &Control| format!("{}={}", control.name, control.value);
        let mut all = self
            .controls
            .iter()
            .filter(|control| matches!(control.kind, Kind::Button) && !control.name.is_empty());
        let exact = all.clone().find(|control| named(control) == which);
        exact.or_else(|| all.find(|control| named(control).starts_with(which)))
    }

    pub fn has_button(&self, which: &str) -> bool {
        self.button(which).is_some()
    }

    /// The current value of a field.
    pub fn value(&self, name: &str) -> &str {
        &self.control(name).value
    }

    fn control(&self, name: &str) -> &Control {
        let found = self.controls.iter().find(|control| control.name == name);
        found.unwrap_or_else(|| panic!("no field {name} in the form to {}", self.action))
    }

    /// Types or chooses a value within the limits of a browser.
    pub fn fill(self, name: &str, value: &str) -> Form {
        match &self.control(name).kind {
            Kind::Typed { most, .. } => {
                assert!(value.encode_utf16().count() <= *most, "{name} is cut");
            }
            Kind::Chosen { options } => {
                assert!(options.iter().any(|o| o == value), "{value:?}: {options:?}");
            }
            Kind::Fixed | Kind::Button => panic!("{name} cannot be filled in"),
        }
        self.set(name, value)
    }

    /// Sets a value that no browser would send.
    pub fn set(mut self, name: &str, value: &str) -> Form {
        let control = self.controls.iter_mut().find(|c| c.name == name);
        control.unwrap().value = value.to_owned();
        self
    }

    /// Ticks a box with this value.
    pub fn tick(mut self, name: &str, value: &str) -> Form {
        self.controls.push(Control {
            name: name.to_owned(),
            value: value.to_owned(),
            kind: Kind::Fixed,
        });
        self
    }

    /// Removes a field, which no browser would do.
    pub fn without(mut self, name: &str) -> Form {
        self.controls.retain(|control| control.name != name);
        self
    }

    /// Presses the one button that has no name.
    pub fn submit(&self, client: &mut Client) -> Page {
        let is_it = |c: &&Control| matches!(c.kind, Kind::Button) && c.name.is_empty();
        let buttons = self.controls.iter().filter(is_it).count();
        assert_eq!(buttons, 1, "buttons in the form to {}", self.action);
        self.send_with(client, None)
    }

    /// Presses the button with this `name=value`, or the first that begins with it.
    pub fn press(&self, client: &mut Client, which: &str) -> Page {
        let button = self.button(which);
        let button = button.unwrap_or_else(|| panic!("no {which:?} in {}", self.action));
        self.send_with(client, Some(button))
    }

    fn send_with(&self, client: &mut Client, pressed: Option<&Control>) -> Page {
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
            Kind::Button => pressed.is_some_and(|pressed| std::ptr::eq(pressed, *control)),
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
    /// None for controls that are not sent: unchecked, disabled or hidden.
    fn read(element: ElementRef<'_>) -> Option<Control> {
        let of = |name| element.value().attr(name);
        let mut value = of("value").unwrap_or_default().to_owned();
        let kind = match (element.value().name(), of("type").unwrap_or("text")) {
            ("button", _) => Kind::Button,
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
    // Without a value of its own an option has its text as its value.
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

/// An address on one of our pages as a path below the base path; any other is a mistake.
fn below_base(client: &Client, address: &str) -> String {
    let path = address
        .strip_prefix(client.base())
        .filter(|path| path.starts_with('/') && !path.starts_with("//"));
    path.unwrap_or_else(|| panic!("{address:?} is outside"))
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

/// The text of a cell without its remarks.
fn data(cell: ElementRef<'_>) -> String {
    let is_remark = |part: &ElementRef<'_>| {
        part.value().name() == "small" || part.value().classes().any(|class| class == "none")
    };
    let mut words = vec![];
    for node in cell.descendants() {
        let is_data = || {
            !node
                .ancestors()
                .filter_map(ElementRef::wrap)
                .any(|e| is_remark(&e))
        };
        if let Some(text) = node.value().as_text()
            && is_data()
        {
            words.extend(text.split_ascii_whitespace());
        }
    }
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

//! What a proxy must pass on: a request through it and the same straight to the server have the same answer.

use super::Finding;
use super::outside::{Call, Place, lines};

/// Programs with the clients, and with the snippets of the Integration page.
const PROGRAMS: [&str; 4] = [
    "license_client.py/1",
    "python-requests/2",
    "curl/8",
    "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
];

#[derive(Debug)]
pub struct Probe {
    pub method: &'static str,
    /// After that of `public_url`.
    pub path: String,
    pub user_agent: Option<&'static str>,
    /// Whether the body must be the same, too.
    is_content: bool,
    /// What does not work if it has another answer.
    what: String,
    lines: String,
}

/// `style_sheet` is the address on the page for signing in.
pub fn probes(place: &Place, style_sheet: &str) -> Vec<Probe> {
    let base = &place.base;
    let probe = |method, path: &str, what: &str, lines| Probe {
        method,
        path: path.to_owned(),
        user_agent: None,
        is_content: method == "GET" && !path.is_empty(),
        what: what.to_owned(),
        lines,
    };
    let methods = || lines("limit_except", "<Limit>", "method");
    let mut probes = vec![
        probe(
            "GET",
            style_sheet
                .strip_prefix(base.as_str())
                .unwrap_or(style_sheet),
            "the style sheet does not arrive, so pages are hard to read",
            lines(
                "location ~ \\.css$",
                "ProxyPassMatch \\.css$ !",
                "@static path *.css",
            ),
        ),
        probe(
            "GET",
            "/api/nothing",
            "the proxy replaces errors by its own, so programs cannot read why a machine is refused",
            lines(
                "proxy_intercept_errors off;",
                "ProxyErrorOverride Off",
                "handle_response",
            ),
        ),
        probe(
            "DELETE",
            "/api/licenses/0",
            "scripts cannot delete licenses",
            methods(),
        ),
        probe(
            "PATCH",
            "/api/licenses/0",
            "scripts cannot change licenses",
            methods(),
        ),
    ];
    if !base.is_empty() {
        let slash = lines(
            &format!("location = {base}"),
            &format!("ProxyPass {base}"),
            &format!("handle {base} {base}/*"),
        );
        let what = "the address without a slash at its end leads nowhere";
        probes.insert(0, probe("GET", "", what, slash));
    }
    let agents = lines(
        "if ($http_user_agent",
        "RewriteCond %{HTTP_USER_AGENT}",
        "header User-Agent",
    );
    probes.extend(PROGRAMS.map(|program| Probe {
        method: "POST",
        path: "/api/check".to_owned(),
        user_agent: Some(program),
        is_content: false,
        what: format!("programs that call themselves `{program}` get no result"),
        lines: agents.clone(),
    }));
    probes
}

/// What came of a probe through the proxy, and of the same straight to the server.
pub type Tried = (Probe, Call, Call);

pub fn passed(place: &Place, tried: &[Tried]) -> Vec<Finding> {
    let mut found = vec![];
    let mut is_program_told = false;
    for (probe, outside, direct) in tried {
        // What is wrong with checks of all programs is one fault.
        let is_program = probe.user_agent.is_some();
        if is_program && is_program_told {
            continue;
        }
        if let Some(finding) = difference(place, probe, outside, direct) {
            is_program_told |= is_program;
            found.push(finding);
        }
    }
    found
}

fn difference(place: &Place, probe: &Probe, outside: &Call, direct: &Call) -> Option<Finding> {
    // That the server itself does not answer was found before.
    let direct = direct.as_ref().ok()?;
    let came = match outside {
        Ok(answer) if answer.status != direct.status => {
            format!("has {} instead of status {}", answer.who(), direct.status)
        }
        Ok(answer) if probe.is_content && answer.body != direct.body => {
            "has another content than the server sends".to_owned()
        }
        Ok(_) => return None,
        Err(words) => format!("has no answer ({words})"),
    };
    Some(Finding::error(format!(
        "{}; {} {}{} {came}; {}",
        probe.what,
        probe.method,
        place.url(),
        probe.path,
        probe.lines
    )))
}

/// What of `sent` did not arrive in the query.
pub fn query(sent: &str, came: &str) -> Option<Finding> {
    (sent != came).then(|| {
        Finding::error(format!(
            "the proxy changes what follows `?` in an address (`{came}` instead of `{sent}`), so no search works; {}",
            lines("rewrite … ?", "RewriteRule … [QSD]", "rewrite * {path}")
        ))
    })
}

/// Whether a client with TLS 1.2 gets a connection; a text is why not.
pub fn old_tls(place: &Place, tried: &Result<(), String>) -> Option<Finding> {
    let words = tried.as_ref().err()?;
    Some(Finding::warning(format!(
        "{} takes no TLS 1.2 ({words}), which programs on older versions of Windows need; {}",
        place.origin,
        lines(
            "ssl_protocols TLSv1.2 TLSv1.3;",
            "SSLProtocol -all +TLSv1.2 +TLSv1.3",
            "protocols tls1.2 tls1.3"
        )
    )))
}

/// Another address of the name than the one that everything else was asked of.
pub fn elsewhere(address: std::net::SocketAddr, found: &Finding) -> Finding {
    Finding::error(format!(
        "at {}, another address of this name: {}",
        address.ip(),
        found.text
    ))
}

//! Every page is checked for accessibility by axe-core: names, contrast, headings, landmarks, sizes of targets.

use std::fs;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::engine::once;
use crate::looks::furnished;
use crate::tools;
use crate::two_factors::walk;

/// A phone and a desk.
const WIDTHS: [u32; 2] = [360, 1280];

const RULES: [&str; 6] = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
];

#[test]
fn no_page_violates_a_rule_of_accessibility() {
    if !once() {
        return;
    }
    let Some(file) = tools::named_by("AXE_CORE", "axe.min.js of npm's axe-core") else {
        return;
    };
    let Some(browser) = Browser::start() else {
        return;
    };
    let axe = fs::read_to_string(file).unwrap();
    let (server, paths) = furnished();
    let run = format!(
        "return axe.run({{runOnly: {}, resultTypes: ['violations']}}).then(result =>
             result.violations.flatMap(rule => rule.nodes.map(node =>
                 rule.id + ' at ' + node.target.join(' ') + ': ' + node.failureSummary)))",
        json!(RULES)
    );
    let mut found = vec![];
    let mut look = |path: &str| {
        // Not subject to the page's policy, which allows no script.
        browser.script(&axe);
        for scheme in ["light", "dark"] {
            // No color is measured halfway through a transition.
            let features = json!([
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]);
            let media = json!({"features": features});
            browser.devtools("Emulation.setEmulatedMedia", &media);
            for width in WIDTHS {
                browser.resize(width);
                let Value::Array(violations) = browser.script(&run) else {
                    panic!("axe-core gave no list for {path}");
                };
                let place = format!("{path} at {width} px, {scheme}");
                found.extend(violations.iter().map(|one| format!("{place}: {one}")));
            }
        }
    };
    let at = |path: &str| browser.go(&format!("{}{path}", server.url));
    at("/login");
    look("/login");
    browser.enter(&server);
    for path in &paths {
        at(path);
        look(path);
    }
    walk(&browser, &server, &mut look);
    assert!(found.is_empty(), "{} violations: {found:#?}", found.len());
}

//! `license-server doctor`: looks for what is wrong with the installation, and changes nothing.

mod caller;
mod machine;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::doctor::outside::{
    self, AUTHORIZATION, Answer, Bodies, CONTENT_TYPE, COOKIE, Call, FORGED, Place, Plain, Reached,
    Visit,
};
use crate::model::doctor::passed::{self, Probe};
use crate::model::doctor::{Finding, Level, PASS, inside};
use crate::request::{BODY, IMPORT, SMALL_BODY};
use crate::service::{Pass, Service};
use caller::Caller;

/// Where the doctor finds the proxy.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Connect there instead of to the host of public_url, for example behind a router without hairpin NAT
    #[arg(long, value_name = "IP:PORT")]
    connect: Option<SocketAddr>,
    /// The same for the address without TLS, which is port 80 otherwise
    #[arg(long, value_name = "IP:PORT")]
    connect_http: Option<SocketAddr>,
}

/// Prints each finding in a line; fails if one is an error.
pub fn doctor(config: &Config, args: &DoctorArgs) -> Result<(), Refusal> {
    let mut told = Told::default();
    told.all(settings(config));
    told.all(machine::findings(config));
    let service = match Service::open_read_only(config, Clock::System) {
        Ok(service) => service,
        Err(Refusal(words)) => {
            told.all([Finding::error(words)]);
            return told.end();
        }
    };
    told.all(inside::database(&service.contents_for_doctor()));
    let round = Round {
        place: place(config),
        server: Caller::new(None, None),
        proxy: Caller::new(args.connect, args.connect_http),
        service: &service,
    };
    let server = round.server();
    let is_running = server.iter().all(|finding| finding.level == Level::Ok);
    told.all(server);
    if is_running && config.public_url.is_some() {
        round.outside(args, &mut told)?;
    }
    told.end()
}

/// How many findings there were of each level.
#[derive(Default)]
struct Told {
    warnings: usize,
    errors: usize,
}

impl Told {
    fn all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            say(&finding.to_string());
            match finding.level {
                Level::Ok => {}
                Level::Warning => self.warnings += 1,
                Level::Error => self.errors += 1,
            }
        }
    }

    fn end(self) -> Result<(), Refusal> {
        let counted = format!("errors: {}, warnings: {}", self.errors, self.warnings);
        match self.errors {
            0 => say(&counted),
            _ => return Err(Refusal(counted)),
        }
        Ok(())
    }
}

fn settings(config: &Config) -> Vec<Finding> {
    let mut found = vec![];
    if config.admin_password.is_some() {
        found.push(Finding::warning(
            "`admin_password` counts at the first start only; remove it from the settings",
        ));
    }
    if config
        .trusted_proxies
        .iter()
        .any(|net| net.prefix_len() == 0)
    {
        found.push(Finding::error(
            "`trusted_proxies` has every address, so every visitor can choose an address; list only the proxy",
        ));
    }
    let is_near = |net: &ipnet::IpNet| net.addr().is_loopback();
    if config.is_https()
        && !config.address.is_loopback()
        && config.trusted_proxies.iter().all(is_near)
    {
        found.push(Finding::warning(format!(
            "`address` is {}, so everybody can call the server without the proxy and without TLS; set it to \
             127.0.0.1, or list a proxy on another machine in `trusted_proxies`",
            config.address
        )));
    }
    match &config.public_url {
        None => found.push(Finding::warning(
            "`public_url` is not set, so only this machine can use the server; set it to the address that people \
             will type",
        )),
        Some(_) if !config.is_https() && !config.is_loopback() => found.push(Finding::error(
            "`public_url` starts with http, so passwords can be read on the way, and the cookie lacks `Secure`; \
             set it to the https address of the proxy",
        )),
        Some(_) => {}
    }
    if found.is_empty() {
        found.push(Finding::ok("settings"));
    }
    found
}

fn place(config: &Config) -> Place {
    let address = match config.address {
        address if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        address => address,
    };
    let server = SocketAddr::new(address, config.port);
    let origin = config.origin(config.port);
    let port = origin.rsplit(':').next().and_then(|port| port.parse().ok());
    Place {
        is_direct: !config.is_https() && port == Some(config.port),
        base: config.base_path().to_owned(),
        host: config.host(),
        is_https: config.is_https(),
        server: server.to_string(),
        origin,
    }
}

/// The calls of one doctor.
struct Round<'a> {
    place: Place,
    /// Straight to the server.
    server: Caller,
    /// As visitors do.
    proxy: Caller,
    service: &'a Service,
}

impl Round<'_> {
    /// Whether the server runs, with this database.
    fn server(&self) -> Vec<Finding> {
        let at = &self.place.server;
        // Without a path, which may be what is wrong: the server takes both.
        let url = format!("http://{at}");
        let answer = match self.server.get(&format!("{url}/health"), &[]) {
            Ok(answer) if answer.is_healthy() => self.ask(&self.server, &url, 0),
            Ok(answer) => Ok((answer, String::new())),
            Err(words) => {
                return vec![Finding::error(format!(
                    "the server does not answer at {at} ({words}), so what visitors get was not examined; \
                     `systemctl start license-server`, or correct `address` and `port`"
                ))];
            }
        };
        match answer {
            Ok((answer, nonce)) if answer.echo().is_some_and(|echo| echo.nonce == nonce) => {
                vec![Finding::ok(format!("the server answers at {at}"))]
            }
            Ok((answer, nonce)) if !nonce.is_empty() && answer.status == 404 => {
                vec![Finding::error(format!(
                    "the server at {at} uses another database than `data_dir`; name the folder of that server, or \
                     correct `port`"
                ))]
            }
            Ok((answer, _)) => vec![Finding::error(format!(
                "at {at} another program answers, or the server is ill ({}); see its log: `journalctl -u \
                 license-server -n 20`, or correct `address` and `port`",
                answer.who()
            ))],
            Err(words) => vec![Finding::error(words.0)],
        }
    }

    /// Everything at `public_url`.
    fn outside(&self, args: &DoctorArgs, told: &mut Told) -> Result<(), Refusal> {
        let Round { place, proxy, .. } = self;
        let at = if place.is_https {
            args.connect
        } else {
            args.connect_http
        };
        let reached = caller::reach(&place.origin, at);
        told.all(outside::reached(place, &reached));
        let Reached::At(open, _) = reached else {
            return Ok(());
        };
        let Some(first) = open.first() else {
            return Ok(());
        };
        let now = self.service.now();
        if place.is_https {
            let certificate = tls::look(*first, &place.host, now);
            told.all([outside::certificate(place, &certificate, now)]);
            if certificate.is_missing() {
                return Ok(());
            }
            told.all(passed::old_tls(place, &tls::try_1_2(*first, &place.host)));
        }
        let url = place.url();
        let (echo, nonce) = self.call(proxy, &url, 0)?;
        let visit = Visit {
            health: match &echo {
                Ok(answer) if answer.echo().is_none() => {
                    Some(proxy.get(&format!("{url}/health"), &[]))
                }
                Ok(_) | Err(_) => None,
            },
            echo,
            nonce,
        };
        let echo = match outside::echo(place, &visit) {
            Ok(echo) => echo,
            Err(finding) => {
                told.all([finding]);
                return Ok(());
            }
        };
        told.all(outside::arrived(place, &echo));
        if let Ok(answer) = &visit.echo {
            told.all(outside::date(answer, now));
            let page = [("Accept-Encoding", "gzip, br")];
            let direct = format!("http://{}/login", place.server);
            told.all(outside::headers(
                place,
                &proxy.get(&format!("{url}/login"), &page),
                &self.server.get(&direct, &page),
                answer,
            ));
        }
        let (once, again) = (self.fresh(&url)?, self.fresh(&url)?);
        if let Ok(Some(echo)) = once.0.as_ref().map(Answer::echo) {
            told.all(passed::query(QUERY, &echo.query));
        }
        told.all(outside::cached(&[once, again]));
        told.all(self.passed());
        let bodies = self.bodies(&url)?;
        told.all(outside::bodies(place, &bodies, BODY));
        if place.is_https && (place.has_usual_port() || args.connect_http.is_some()) {
            let url = format!("http://{}{}", place.host, place.base);
            let plain = Plain {
                check: proxy.post(&format!("{url}/api/check"), &question(2), &JSON),
                page: proxy.get(&format!("{url}/login"), &[]),
                api: proxy.get(&format!("{url}/api/licenses"), &[]),
            };
            told.all(outside::plain(place, &plain));
        }
        for address in &open[1..] {
            told.all(self.elsewhere(*address)?);
        }
        Ok(())
    }

    /// Whether another address of the name, perhaps that of IPv6, leads to the same server.
    fn elsewhere(&self, address: SocketAddr) -> Result<Option<Finding>, Refusal> {
        let Round { place, .. } = self;
        let now = self.service.now();
        if place.is_https {
            let certificate = tls::look(address, &place.host, now);
            if certificate.fault.is_some() {
                let found = outside::certificate(place, &certificate, now);
                return Ok(Some(passed::elsewhere(address, &found)));
            }
        }
        let caller = Caller::new(Some(address), Some(address));
        let (echo, nonce) = self.call(&caller, &place.url(), 0)?;
        let health = Some(caller.get(&format!("{}/health", place.url()), &[]));
        let visit = Visit {
            echo,
            nonce,
            health,
        };
        let found = outside::echo(place, &visit).err();
        Ok(found.map(|found| passed::elsewhere(address, &found)))
    }

    /// What the proxy answers in another way than the server.
    fn passed(&self) -> Vec<Finding> {
        let Round { place, proxy, .. } = self;
        let direct = format!("http://{}", place.server);
        let page = self.server.get(&format!("{direct}/login"), &[]);
        let sheet = page.ok().and_then(|page| style_sheet(&page.body));
        let probes = passed::probes(place, &sheet.unwrap_or_default());
        let send = |caller: &Caller, url: &str, probe: &Probe| {
            let mut headers = JSON.to_vec();
            headers.extend(probe.user_agent.map(|program| ("User-Agent", program)));
            let url = format!("{url}{}", probe.path);
            caller.send(probe.method, &url, &question(2), &headers)
        };
        let tried = probes.into_iter().map(|probe| {
            let outside = send(proxy, &place.url(), &probe);
            let direct = send(&self.server, &direct, &probe);
            (probe, outside, direct)
        });
        passed::passed(place, &tried.collect::<Vec<_>>())
    }

    fn bodies(&self, url: &str) -> Result<Bodies, Refusal> {
        let form = self.call(&self.proxy, url, BODY as usize)?;
        let import = [("Content-Type", "multipart/form-data; boundary=x")];
        Ok(Bodies {
            check: self.proxy.post(
                &format!("{url}/api/check"),
                &question(SMALL_BODY as usize),
                &JSON,
            ),
            form: form.0,
            import: self.proxy.post(
                &format!("{url}/import"),
                &vec![b'x'; IMPORT as usize],
                &import,
            ),
        })
    }

    /// Asks what arrives of a request with this many bytes; returns the nonce, too.
    fn call(&self, caller: &Caller, url: &str, body: usize) -> Result<(Call, String), Refusal> {
        let Pass { text, nonce } = self.service.doctor_pass()?;
        let headers = [
            (PASS, text.as_str()),
            ("X-Forwarded-For", FORGED),
            ("Origin", &self.place.origin),
            ("Authorization", AUTHORIZATION),
            ("Cookie", COOKIE),
            ("Content-Type", CONTENT_TYPE),
        ];
        let url = format!("{url}/api/doctor");
        Ok((caller.post(&url, &vec![b'x'; body], &headers), nonce))
    }

    fn ask(&self, caller: &Caller, url: &str, body: usize) -> Result<(Answer, String), Refusal> {
        let (answer, nonce) = self.call(caller, url, body)?;
        Ok((answer.map_err(Refusal)?, nonce))
    }

    fn fresh(&self, url: &str) -> Result<(Call, String), Refusal> {
        let Pass { text, nonce } = self.service.doctor_pass()?;
        let answer = self
            .proxy
            .get(&format!("{url}/api/doctor?{QUERY}"), &[(PASS, &text)]);
        Ok((answer, nonce))
    }
}

/// Of a search for a tool with a plus.
const QUERY: &str = "tool=Tool%2B1&q=a%20b";

/// Its address in a page.
fn style_sheet(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("rel=\"stylesheet\" href=\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// An empty question of this many bytes: the server refuses it without recording anything.
fn question(size: usize) -> Vec<u8> {
    let mut body = b"{}".to_vec();
    body.resize(size, b' ');
    body
}

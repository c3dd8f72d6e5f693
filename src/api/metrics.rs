//! `GET /metrics`: figures for Prometheus and others that read OpenMetrics.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use rocket::http::Header;
use rocket::{Responder, Route, get, routes};
use time::OffsetDateTime;

use crate::auth::Scraper;
use crate::error::Error;
use crate::model::histogram::{BOUNDS, Durations};
use crate::model::license::Verdict;
use crate::model::readiness::Condition;
use crate::request::{App, Failure};
use crate::service::Metrics;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

pub(super) fn routes() -> Vec<Route> {
    routes![metrics]
}

#[derive(Responder)]
struct Exposition {
    text: String,
    content_type: Header<'static>,
}

#[get("/metrics")]
async fn metrics(app: &App, _scraper: Scraper) -> Result<Exposition, Failure> {
    let unmet = app.unmet_conditions().await?;
    let metrics = app.run(|service| Ok(service.metrics())).await?;
    let mut registry = Registry::with_prefix("license_server");
    registry.register_collector(Box::new(Scrape { metrics, unmet }));
    let mut text = String::with_capacity(16 * 1024);
    text::encode(&mut text, &registry)
        .map_err(|_| Error::Internal("the metrics cannot be written".into()))?;
    Ok(Exposition {
        text,
        content_type: Header::new("Content-Type", CONTENT_TYPE),
    })
}

#[derive(Debug)]
struct Scrape {
    metrics: Metrics,
    unmet: Vec<Condition>,
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// Writes one metric after the other.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counter<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Counter)?;
        for (labels, value) in samples {
            let counter = |sample: &mut MetricEncoder<'_>| {
                sample.encode_counter::<NoLabelSet, u64, f64>(&value, None)
            };
            sample(&mut family, &labels, counter)?;
        }
        Ok(())
    }

    fn gauge<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, i64)>,
    ) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        for (labels, value) in samples {
            let gauge = |sample: &mut MetricEncoder<'_>| sample.encode_gauge(&value);
            sample(&mut family, &labels, gauge)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, durations: &Durations) -> fmt::Result {
        let bounds = BOUNDS.map(|bound| bound as f64 / 1e6).into_iter();
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(durations.buckets).collect();
        let count = durations.buckets.iter().sum();
        self.family(name, help, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(durations.sum.as_secs_f64(), count, &buckets, None)
    }

    fn family<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}

fn sample(
    family: &mut MetricEncoder<'_>,
    labels: &Labels<'_>,
    encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    match labels.is_empty() {
        true => encode(family),
        false => encode(&mut family.encode_family(labels)?),
    }
}

fn one<T>(value: T) -> [(Labels<'static>, T); 1] {
    [(vec![], value)]
}

/// No sample of what cannot be read.
fn some(value: Option<u64>) -> Option<(Labels<'static>, i64)> {
    value.map(|value| (vec![], i64::try_from(value).unwrap_or(i64::MAX)))
}

fn seconds(moment: OffsetDateTime) -> i64 {
    moment.unix_timestamp()
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Scrape { metrics, unmet } = self;
        let mut all = Families(encoder);
        all.gauge(
            "build_info",
            "Always 1; the version of the program.",
            [(vec![("version", env!("CARGO_PKG_VERSION"))], 1)],
        )?;
        all.gauge(
            "start_time_seconds",
            "When the program started, in Unix seconds.",
            one(seconds(metrics.started_at)),
        )?;
        all.gauge(
            "condition_met",
            "1 if the condition for being ready is met.",
            Condition::ALL.map(|condition| {
                let is_met = !unmet.contains(&condition);
                (vec![("condition", condition.as_str())], is_met.into())
            }),
        )?;
        all.gauge(
            "clock_plausible",
            "0 if the clock is a day behind or 30 days ahead of what was stored.",
            one(metrics.is_clock_plausible.into()),
        )?;
        all.counter(
            "faults",
            "Errors that the operator or the developers must fix, each one logged, by place.",
            metrics
                .faults
                .iter()
                .map(|(place, number)| (vec![("place", *place)], *number)),
        )?;
        self.encode_checks(&mut all)?;
        self.encode_requests(&mut all)?;
        self.encode_stored(&mut all)
    }
}

impl Scrape {
    fn encode_checks(&self, all: &mut Families<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let checks = metrics.checks.iter().flat_map(|(tool, numbers)| {
            Verdict::ALL.map(|verdict| {
                let labels = vec![("tool", tool.as_str()), ("result", verdict.code())];
                (labels, numbers[verdict as usize])
            })
        });
        all.counter("checks", "Checks by tool and result.", checks)?;
        all.histogram(
            "check_duration_seconds",
            "Time from a check's first line to its result, its body included.",
            &metrics.check_durations,
        )?;
        all.gauge(
            "check_records_waiting",
            "Records of checks that are not written to the database yet.",
            one(metrics.records_waiting as i64),
        )?;
        all.counter(
            "checks_not_recorded",
            "Checks that were answered but not recorded with their license.",
            one(metrics.checks_not_recorded),
        )
    }

    fn encode_requests(&self, all: &mut Families<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let answers = CLASSES.into_iter().zip(metrics.answers);
        all.counter(
            "http_requests",
            "Answered requests by class of the HTTP status.",
            answers.map(|(class, number)| (vec![("status", class)], number)),
        )?;
        all.counter(
            "throttled",
            "Sign-ins and checks of unlicensed machines that were refused because there were too many.",
            metrics
                .throttled
                .map(|(by, number)| (vec![("by", by)], number)),
        )?;
        all.gauge(
            "sessions",
            "Sessions that have not expired.",
            metrics.sessions.map(|number| (vec![], number)),
        )
    }

    fn encode_stored(&self, all: &mut Families<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        all.histogram(
            "write_wait_seconds",
            "Time that a write waited for other writes.",
            &metrics.write_waits,
        )?;
        let reach = metrics.reach;
        all.gauge(
            "database_silence_seconds",
            "Time since PostgreSQL last answered; it is asked every second.",
            some(reach.map(|reach| reach.age.as_secs())),
        )?;
        all.gauge(
            "on_duty",
            "1 for the server that sends mails and makes backups.",
            some(reach.map(|reach| reach.is_on_duty.into())),
        )?;
        all.gauge(
            "servers",
            "Servers that use the database.",
            metrics.servers.map(|number| (vec![], number)),
        )?;
        let (files, disk) = (metrics.files, metrics.disk);
        all.gauge(
            "database_bytes",
            "Size of the database file.",
            some(files.map(|files| files.database)),
        )?;
        all.gauge(
            "wal_bytes",
            "Size of the write-ahead log.",
            some(files.map(|files| files.log)),
        )?;
        all.gauge(
            "disk_free_bytes",
            "Free space of the disk with the data folder.",
            some(disk.map(|disk| disk.free)),
        )?;
        all.gauge(
            "disk_total_bytes",
            "Size of the disk with the data folder.",
            some(disk.map(|disk| disk.total)),
        )?;
        all.gauge(
            "last_backup_timestamp_seconds",
            "When the last good backup was made, in Unix seconds.",
            metrics.last_backup.map(|at| (vec![], seconds(at))),
        )?;
        let licenses = metrics.licenses.into_iter().flatten();
        all.gauge(
            "licenses",
            "Licenses by status, counted every ten minutes.",
            licenses.map(|(status, number)| (vec![("status", status.as_str())], number)),
        )?;
        let mails = metrics.mails.into_iter().flatten();
        all.gauge(
            "mails",
            "Mails in the outbox by state.",
            mails.map(|(state, number)| (vec![("state", state.as_str())], number)),
        )?;
        let webhooks = metrics.webhooks.into_iter().flatten();
        all.gauge(
            "webhooks",
            "Webhooks by state.",
            webhooks.map(|(state, number)| (vec![("state", state.as_str())], number)),
        )?;
        let deliveries = metrics.webhook_deliveries.into_iter().flatten();
        all.gauge(
            "webhook_deliveries",
            "Events for webhooks by state, of the last 30 days.",
            deliveries.map(|(state, number)| (vec![("state", state.as_str())], number)),
        )?;
        all.gauge(
            "signing_keys",
            "Signing keys in use and retired ones.",
            metrics
                .signing_keys
                .map(|(state, number)| (vec![("state", state)], number as i64)),
        )
    }
}

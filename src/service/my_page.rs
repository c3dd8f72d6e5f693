//! The customer's own page: links that open it, and what a customer may see and do there.

use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use super::customers::NO_SUCH_CUSTOMER;
use super::mails::{DraftMail, NO_SUCH_MAIL};
use super::throttle::{network, subscriber};
use super::{Claimed, Service, secrets};
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, Reason};
use crate::model::audit::{Actor, CUSTOMER_ID, Detail, Event, Kind};
use crate::model::customer::{Customer, parse_email};
use crate::model::mail::{Mail, MailEvent, NewMail};
use crate::store::seats::{LooseMachine, SeatedMachine};
use crate::store::{
    Db, Read, WriteTx, activation_codes, audit, customer_links, customers, licenses, outbox, seats,
};

/// How long a link can be used, and then its session.
const LIFE: Duration = Duration::minutes(30);
/// Links and sessions are deleted after that.
const KEPT: Duration = Duration::hours(2);
/// Who waits for a mail asks again long before that.
const MAIL_TOO_LATE: Duration = Duration::hours(1);
/// Requests for links that wait for the background; more are refused.
const MOST_WAITING: usize = 1_000;
/// Codes on the page, and machines: of a code, and in all.
const CODES: usize = 50;
const MACHINES: i64 = 100;
const ALL_MACHINES: i64 = 500;

/// Somebody has typed an address and wants a link.
pub(super) struct LinkRequest {
    email: String,
    /// Of the page, for a customer whose language is not known.
    language: String,
    address: IpAddr,
}

/// A link that an admin created.
pub struct CustomerLink {
    pub customer: Customer,
    pub url: String,
    /// To be written by hand; none without an address.
    pub mail: Option<DraftMail>,
}

/// Whoever has opened a link.
pub struct Visitor {
    pub customer: Customer,
    /// Proves that a form came from a page of this session.
    pub csrf: String,
}

/// What a customer has.
pub struct MyPage {
    /// The newest codes come first.
    pub codes: Vec<Claimed>,
    pub code_count: i64,
    /// Licenses without a code.
    pub machines: Vec<LooseMachine>,
}

impl Service {
    /// Sends a link if a customer has that address. What is done here is the same if none has: the rest is done by
    /// [`Service::queue_links`].
    pub fn ask_for_link(&self, typed: &str, language: &str, address: IpAddr) -> Result<(), Error> {
        if !self.sends_mail() {
            return Err(Error::Conflict("No mail server is set.".into()));
        }
        let email = parse_email(typed)?;
        if email.is_empty() {
            return Err(Error::invalid("email", "The e-mail address is missing."));
        }
        let now = self.now();
        let later = |seconds| Error::from(Reason::TryLater(seconds));
        self.link_requests
            .take(subscriber(address), now)
            .map_err(later)?;
        if let Some(network) = network(address) {
            self.link_requests.take(network, now).map_err(later)?;
        }
        self.customer_mails
            .take(("link", &*email), now)
            .map_err(later)?;
        let mut waiting = self.links_wanted.lock();
        if waiting.len() >= MOST_WAITING {
            return Err(later(10));
        }
        waiting.push(LinkRequest {
            email,
            language: language.to_owned(),
            address,
        });
        Ok(())
    }

    /// Queues the mails to those who asked for a link and are known.
    pub fn queue_links(&self) -> Result<(), Error> {
        let wanted = std::mem::take(&mut *self.links_wanted.lock());
        if wanted.is_empty() {
            return Ok(());
        }
        let queued = self.store.write(|db| {
            for request in &wanted {
                self.queue_link(db, request)?;
            }
            Ok(())
        });
        if queued.is_err() {
            let mut waiting = self.links_wanted.lock();
            waiting.extend(wanted);
            waiting.truncate(MOST_WAITING);
        }
        queued
    }

    fn queue_link(&self, db: &WriteTx<'_>, request: &LinkRequest) -> Result<(), Error> {
        let now = self.now();
        let Some(customer) = customers::of_email(db, &request.email)? else {
            return Ok(());
        };
        let id = customer.id;
        let customer = in_language(customer, &request.language);
        // The outbox has no secret: each attempt makes a link of its own.
        let without = format!("{}/my/link/…", self.mailer.server_url);
        let Some(mail) = self.link_mail(db, &customer, without)? else {
            return Ok(());
        };
        let mail = outbox::add(db, &mail, &[], now)?.ok_or(NO_SUCH_MAIL)?;
        let actor = Actor::here("customer page");
        let event = Event::new(Kind::LinkCreated, &actor)
            .with(CUSTOMER_ID, id)
            .with("mail", mail)
            .with("address", Detail::personal(&request.address.to_string()));
        audit::append(db, event, now)?;
        Ok(())
    }

    fn link_mail(
        &self,
        db: &Db,
        customer: &Customer,
        url: String,
    ) -> Result<Option<NewMail>, Error> {
        self.written(db, MailEvent::MyPage, customer, &[], url)
    }

    /// The mail with a link that is made now; none if it comes too late.
    pub(super) fn mail_with_link(
        &self,
        db: &WriteTx<'_>,
        mail: &Mail,
        customer: Customer,
    ) -> Result<Option<NewMail>, Error> {
        if self.now() - mail.queued_at > MAIL_TOO_LATE {
            return Ok(None);
        }
        let url = self.new_link(db, customer.id)?;
        self.link_mail(db, &in_language(customer, &mail.language), url)
    }

    /// Only the hash of its secret is stored.
    fn new_link(&self, db: &WriteTx<'_>, customer_id: i64) -> Result<String, Error> {
        let (now, token) = (self.now(), secrets::token()?);
        customer_links::prune(db, now - KEPT)?;
        customer_links::add(db, customer_id, &secrets::fingerprint(&token), now)?;
        Ok(format!("{}/my/link/{token}", self.mailer.server_url))
    }

    /// For an admin, who sends it in whatever way.
    pub fn create_link(&self, actor: &Actor, customer_id: i64) -> Result<CustomerLink, Error> {
        self.store.write(|db| {
            let customer = customers::get(db, customer_id)?.ok_or(NO_SUCH_CUSTOMER)?;
            let url = self.new_link(db, customer_id)?;
            let event = Event::new(Kind::LinkCreated, actor).with(CUSTOMER_ID, customer_id);
            audit::append(db, event, self.now())?;
            let mail = match customer.email.is_empty() {
                true => None,
                false => self.link_mail(db, &customer, url.clone())?,
            };
            Ok(CustomerLink {
                customer,
                url,
                mail: mail.map(DraftMail::from),
            })
        })
    }

    /// Uses the link with that secret, and returns the value of the session's cookie; none if the link was used, is
    /// too old, or never was.
    pub fn open_link(&self, token: &str, address: IpAddr) -> Result<Option<String>, Error> {
        let (now, link) = (self.now(), secrets::fingerprint(token));
        let fresh = |db: &Db| {
            let found = customer_links::unused(db, &link)?;
            Ok(found.filter(|(_, _, created_at)| is_fresh(*created_at, now)))
        };
        // What opens nothing does not wait for other writes.
        if self.store.read(fresh)?.is_none() {
            return Ok(None);
        }
        let session = secrets::token()?;
        self.store.write(|db| {
            let Some((id, customer_id, _)) = fresh(db)? else {
                return Ok(None);
            };
            customer_links::open(db, id, &secrets::fingerprint(&session), now)?;
            let event = Event::new(Kind::LinkOpened, &customers_actor(customer_id))
                .with(CUSTOMER_ID, customer_id)
                .with("address", Detail::personal(&address.to_string()));
            audit::append(db, event, now)?;
            Ok(Some(session))
        })
    }

    /// The customer of this session, unless it has expired.
    pub fn visitor(&self, session: &str) -> Result<Option<Visitor>, Error> {
        let now = self.now();
        let customer = self.store.read_tx(|db| {
            let visit = customer_links::visit(db, &secrets::fingerprint(session))?;
            match visit.filter(|visit| is_fresh(visit.opened_at, now)) {
                Some(visit) => customers::get(db, visit.customer_id),
                None => Ok(None),
            }
        })?;
        Ok(customer.map(|customer| Visitor {
            customer,
            csrf: secrets::fingerprint(&format!("form of customer session {session}")),
        }))
    }

    pub fn end_visit(&self, session: &str) -> Result<(), Error> {
        self.store
            .write(|db| Ok(customer_links::delete(db, &secrets::fingerprint(session))?))
    }

    pub fn my_page(&self, customer: &Customer) -> Result<MyPage, Error> {
        let name = &customer.name;
        self.store.read_tx(|db| {
            let found = activation_codes::matching(db, None, None, Some(name), CODES)?;
            let mut room = ALL_MACHINES;
            let mut codes = vec![];
            for listed in found {
                let claimed = self.claimed_in(db, listed.code, MACHINES.min(room))?;
                room -= claimed.machines.len() as i64;
                codes.push(claimed);
            }
            Ok(MyPage {
                codes,
                code_count: customers::numbers(db, name)?.1,
                machines: seats::loose_machines(db, name, MACHINES)?,
            })
        })
    }

    /// A machine of a code of this customer, and the name of its tool.
    pub fn my_machine(
        &self,
        customer: &Customer,
        license_id: i64,
    ) -> Result<Option<(String, SeatedMachine)>, Error> {
        self.store.read_tx(|db| {
            if own_code(db, customer, license_id)?.is_none() {
                return Ok(None);
            }
            let listed = licenses::listed(db, license_id)?;
            Ok(listed.map(|listed| {
                let hostname = listed.last_check.map(|check| check.client.hostname);
                let values = listed.license.values;
                let machine = SeatedMachine {
                    license_id,
                    license_key: values.license_key,
                    hostname: hostname.unwrap_or_default(),
                    last_seen_on: listed.last_seen_on,
                };
                (values.tool_name, machine)
            }))
        })
    }

    /// As with the code on the claim page; changes nothing if the machine is of no code of this customer.
    pub fn free_my_machine(&self, customer: &Customer, license_id: i64) -> Result<(), Error> {
        let code = self
            .store
            .read_tx(|db| own_code(db, customer, license_id))?;
        let Some(code) = code else {
            return Ok(());
        };
        self.free_seat(&code, &customers_actor(customer.id), |db| {
            match own_code(db, customer, license_id)? {
                Some(_) => licenses::get(db, license_id),
                None => Ok(None),
            }
        })
    }

    pub fn send_my_code(&self, customer: &Customer, code_id: i64) -> Result<(), Error> {
        let code = self.store.read(|db| activation_codes::get(db, code_id))?;
        if code.is_none_or(|code| code.values.customer != customer.name) {
            return Err(Reason::UnknownCode.into());
        }
        self.customer_mails
            .take(("code", code_id), self.now())
            .map_err(Reason::TryLater)?;
        self.send_code(&customers_actor(customer.id), code_id)
    }
}

/// Also after the clock was set back.
fn is_fresh(at: OffsetDateTime, now: OffsetDateTime) -> bool {
    (now - at).abs() < LIFE
}

/// Not by name, which stays in the log for ever.
fn customers_actor(id: i64) -> Actor {
    Actor::other("customer", &format!("customer {id}"), "")
}

fn in_language(customer: Customer, language: &str) -> Customer {
    let language = match customer.language.is_empty() {
        true => language.to_owned(),
        false => customer.language,
    };
    Customer {
        language,
        ..customer
    }
}

/// The code of that license, if it is one of this customer.
fn own_code(db: &Db, customer: &Customer, license_id: i64) -> Read<Option<ActivationCode>> {
    let license = licenses::get(db, license_id)?;
    let Some(seat) = license.and_then(|license| license.seat) else {
        return Ok(None);
    };
    let code = activation_codes::get(db, seat.code_id)?;
    let is_own = |code: &ActivationCode| code.values.customer == customer.name;
    Ok(code.filter(is_own))
}

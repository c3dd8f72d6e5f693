//! Shops that place orders by themselves.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::Page;
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown;
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::shops::{EventState, Fields, MAX_CODES_A_DAY, ProductDraft, Shop, ShopKind};
use crate::request::{App, Failure};
use crate::service::{Service, ShopDraft, ShopUse};

pub(super) fn routes() -> Vec<Route> {
    routes![
        list,
        create,
        show,
        change,
        status,
        renew_secret,
        add_product,
        delete_product,
        try_product,
        run_event
    ]
}

#[derive(Template)]
#[template(path = "shops.html")]
struct ShopsPage {
    frame: Frame,
    shops: Vec<Shop>,
    typed: String,
    kind: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "shop.html")]
struct ShopPage {
    frame: Frame,
    found: ShopUse,
    tools: Vec<String>,
    /// Scheme, host and base path of this server.
    server_url: String,
    /// Of a generator's address that was just made; it is never shown again.
    secret: Option<String>,
    /// Codes of a call that was tried.
    tried: Vec<String>,
    draft: ProductDraft,
    problems: Vec<Problem>,
    offset: UtcOffset,
}

impl ShopPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }

    fn is_generator(&self) -> bool {
        self.found.shop.kind == ShopKind::Generator
    }

    /// What is entered in a shop that sends events.
    fn receiver(&self) -> String {
        let shop = &self.found.shop;
        format!(
            "{}/hooks/{}/{}",
            self.server_url,
            shop.kind.as_str(),
            shop.id
        )
    }

    fn has_no_secret(&self) -> bool {
        self.found.shop.secret.is_empty()
    }

    /// The style of its mark.
    fn mark(&self, state: &EventState) -> &'static str {
        match state {
            EventState::Done => "activated",
            EventState::Ignored => "expired",
            EventState::Waiting => "suspended",
            EventState::Failed => "revoked",
        }
    }

    /// Name, label and value of each field that a generator is called with.
    fn fields(&self) -> [(&'static str, &'static str, &str); 7] {
        let fields = &self.found.shop.fields;
        [
            ("order_field", "Order number", &fields.order),
            ("product_field", "Product", &fields.product),
            ("quantity_field", "Quantity", &fields.quantity),
            ("line_field", "Line of the order", &fields.line),
            ("name_field", "Customer’s name", &fields.name),
            ("email_field", "Customer’s e-mail address", &fields.email),
            ("test_field", "Test order", &fields.test),
        ]
    }
}

#[get("/shops")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let shops = app.run(Service::shops).await?;
    Ok(Page::new(&ShopsPage {
        frame,
        shops,
        typed: String::new(),
        kind: String::new(),
        problem: None,
    })?)
}

#[derive(FromForm)]
struct NewShop {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    kind: String,
}

#[post("/shops", data = "<form>")]
async fn create(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<NewShop>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let name = form.name.clone();
    let kind = ShopKind::from_word(&form.kind);
    let created = app
        .run(move |service| {
            let kind = kind.ok_or_else(|| Error::invalid("kind", "Choose the kind of shop."))?;
            service.create_shop(&actor, kind, &name)
        })
        .await;
    match created {
        Ok((id, None)) => {
            let message = format!(
                "{} created. Now enter its signing secret.",
                form.name.trim()
            );
            let path = format!("/shops/{id}");
            Ok(Either::Left(redirect_with_flash(config, &path, &message)))
        }
        Ok((id, secret)) => {
            let mut page = page(app, config, frame, id).await?;
            page.secret = secret;
            Ok(Either::Right(Page::new(&page)?))
        }
        Err(Error::Invalid(problems)) => {
            let page = ShopsPage {
                frame,
                shops: app.run(Service::shops).await?,
                typed: form.name,
                kind: form.kind,
                problem: problems.into_iter().next().map(|problem| problem.message),
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[get("/shops/<id>")]
async fn show(
    app: &App,
    config: &State<Config>,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    Ok(Page::new(&page(app, config, frame, id).await?)?)
}

#[derive(FromForm)]
struct ShopForm {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    secret: String,
    #[field(default = false)]
    is_test: bool,
    #[field(default = "")]
    order_field: String,
    #[field(default = "")]
    product_field: String,
    #[field(default = "")]
    quantity_field: String,
    #[field(default = "")]
    line_field: String,
    #[field(default = "")]
    name_field: String,
    #[field(default = "")]
    email_field: String,
    #[field(default = "")]
    test_field: String,
}

#[post("/shops/<id>", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ShopForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let message = format!("{} saved.", form.name.trim());
    let is_generator =
        app.run(move |service| service.shop(id)).await?.shop.kind == ShopKind::Generator;
    let draft = ShopDraft {
        name: form.name,
        secret: form.secret,
        is_test: form.is_test,
        fields: match is_generator {
            false => Fields::default(),
            true => Fields {
                order: form.order_field,
                product: form.product_field,
                quantity: form.quantity_field,
                line: form.line_field,
                name: form.name_field,
                email: form.email_field,
                test: form.test_field,
            },
        },
    };
    let saved = app.run(move |service| service.set_shop(&actor, id, draft));
    after(app, config, frame, id, saved.await, &message).await
}

#[derive(FromForm)]
struct StatusForm {
    #[field(default = false)]
    enable: bool,
}

#[post("/shops/<id>/status", data = "<form>")]
async fn status(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<StatusForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let is_enabled = form.enable;
    let saved = app.run(move |service| service.enable_shop(&actor, id, is_enabled));
    let message = match is_enabled {
        true => "The shop is enabled.",
        false => "The shop is disabled; its calls are refused.",
    };
    after(app, config, frame, id, saved.await, message).await
}

#[post("/shops/<id>/secret", data = "<form>")]
async fn renew_secret(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Page, Failure> {
    let actor = form.actor;
    let secret = app
        .run(move |service| service.renew_secret(&actor, id))
        .await?;
    let mut page = page(app, config, frame, id).await?;
    page.secret = Some(secret);
    Ok(Page::new(&page)?)
}

#[derive(FromForm)]
struct ProductForm {
    #[field(default = "")]
    product: String,
    #[field(default = "")]
    tool_name: String,
    #[field(default = "")]
    seats: String,
    #[field(default = "")]
    days: String,
    #[field(default = "")]
    expiration_date: String,
}

#[post("/shops/<id>/products", data = "<form>")]
async fn add_product(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ProductForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let draft = ProductDraft {
        product: form.product,
        tool_name: form.tool_name,
        seats: form.seats,
        days: form.days,
        expiration_date: form.expiration_date,
    };
    let typed = draft.clone();
    let saved = app
        .run(move |service| service.set_product(&actor, id, &draft))
        .await;
    match saved {
        Err(Error::Invalid(problems)) => {
            let mut page = page(app, config, frame, id).await?;
            page.problems = problems;
            page.draft = typed;
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        saved => after(app, config, frame, id, saved, "Product saved.").await,
    }
}

#[post("/shops/<id>/products/<product>/delete", data = "<form>")]
async fn delete_product(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    product: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Either<Flashed, Page>, Failure> {
    let actor = form.actor;
    let deleted = app
        .run(move |service| service.delete_product(&actor, id, product))
        .await;
    after(app, config, frame, id, deleted, "Product deleted.").await
}

#[post("/shops/<id>/products/<product>/try", data = "<form>")]
async fn try_product(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    product: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Page, Failure> {
    let actor = form.actor;
    let codes = app
        .run(move |service| service.try_product(&actor, id, product))
        .await?;
    let mut page = page(app, config, frame, id).await?;
    page.tried = codes.iter().map(|code| code.shown()).collect();
    Ok(Page::new(&page)?)
}

#[post("/shops/<id>/calls/<call>/run", data = "<form>")]
async fn run_event(
    app: &App,
    config: &State<Config>,
    id: i64,
    call: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let actor = form.actor;
    let outcome = app
        .run(move |service| service.run_event(&actor, id, call))
        .await?;
    let path = format!("/shops/{id}");
    Ok(redirect_with_flash(config, &path, &outcome.words))
}

/// Back to the shop's page with a message, or with what is wrong.
async fn after(
    app: &App,
    config: &Config,
    frame: Frame,
    id: i64,
    saved: Result<(), Error>,
    message: &str,
) -> Result<Either<Flashed, Page>, Failure> {
    match saved {
        Ok(()) => {
            let flashed = redirect_with_flash(config, &format!("/shops/{id}"), message);
            Ok(Either::Left(flashed))
        }
        Err(Error::Invalid(problems)) => {
            let mut page = page(app, config, frame, id).await?;
            page.problems = problems;
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

async fn page(app: &App, config: &Config, frame: Frame, id: i64) -> Result<ShopPage, Error> {
    let (found, tools) = app
        .run(move |service| Ok((service.shop(id)?, service.tool_names()?)))
        .await?;
    Ok(ShopPage {
        frame,
        found,
        tools,
        server_url: format!("{}{}", config.origin(config.port), config.base_path()),
        secret: None,
        tried: vec![],
        draft: ProductDraft {
            seats: "1".to_owned(),
            ..ProductDraft::default()
        },
        problems: vec![],
        offset: app.utc_offset(),
    })
}

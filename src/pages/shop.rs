//! The page of one shop: how it is connected, what it sells, and its last calls.

use askama::Template;
use rocket::form::{DataField, FromForm, Options, ValueField};
use rocket::{Either, Route, State, get, post, routes};
use time::{Date, OffsetDateTime, UtcOffset};

use super::Page;
use super::confirm::ConfirmPage;
use super::doubts::{Answers, Objection};
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::opened::{Typed, carried, rebase};
use super::shown;
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::activation_code::CodeTerm;
use crate::model::shops::{
    EventState, Fields, MAX_CODES_A_DAY, Product, ProductDraft, Shop, ShopKind,
};
use crate::request::{App, Failure};
use crate::service::{ShopDraft, ShopUse};

pub(super) fn routes() -> Vec<Route> {
    routes![
        show,
        change,
        status,
        confirm_secret,
        renew_secret,
        confirm_delete,
        delete,
        add_product,
        confirm_delete_product,
        delete_product,
        try_product,
        run_event
    ]
}

#[derive(Template)]
#[template(path = "shop.html")]
struct ShopPage {
    frame: Frame,
    found: ShopUse,
    tools: Vec<String>,
    /// Of any tool.
    editions: Vec<String>,
    /// Scheme, host and base path of this server.
    server_url: String,
    /// Of a generator's address that was just made; it is never shown again.
    secret: Option<String>,
    /// Codes of a call that was tried.
    tried: Vec<String>,
    connection: Connection,
    /// See [`opened`](super::opened).
    was: String,
    draft: ProductDraft,
    /// To questions about the product.
    answers: Answers,
    objection: Objection,
    offset: UtcOffset,
    today: Date,
}

impl ShopPage {
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

    /// An event that was refused, unless the shop was heard since.
    fn refused(&self) -> Option<&(OffsetDateTime, String)> {
        let latest = self.found.calls.first().map(|call| call.received_at);
        let refused = self.found.shop.refused.as_ref();
        refused.filter(|(at, _)| latest.is_none_or(|latest| latest <= *at))
    }

    /// Whether the product sells codes that have expired.
    fn is_over(&self, product: &Product) -> bool {
        matches!(product.item.term(), CodeTerm::Until(day) if day < self.today)
    }

    fn has_no_secret(&self) -> bool {
        self.found.shop.secret.is_empty()
    }

    /// Name, label and value of each field that a generator is called with.
    fn fields(&self) -> [(&'static str, &'static str, &str); 7] {
        let fields = &self.connection.fields;
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

/// The style of the mark of a call.
pub(super) fn mark(state: &EventState) -> &'static str {
    match state {
        EventState::Done => "activated",
        EventState::Ignored => "expired",
        EventState::Waiting => "suspended",
        EventState::Failed => "revoked",
    }
}

/// What is decided about a shop, as it is in the form; the signing secret is never shown.
#[derive(Clone)]
struct Connection {
    name: String,
    /// `true` or `false`.
    is_test: String,
    fields: Fields,
}

impl Connection {
    fn of(shop: &Shop) -> Connection {
        Connection {
            name: shop.name.clone(),
            is_test: shop.is_test.to_string(),
            fields: shop.fields.clone(),
        }
    }

    fn typed(&mut self) -> [Typed<'_>; 9] {
        let fields = &mut self.fields;
        [
            ("name", &mut self.name),
            ("is_test", &mut self.is_test),
            ("order_field", &mut fields.order),
            ("product_field", &mut fields.product),
            ("quantity_field", &mut fields.quantity),
            ("line_field", &mut fields.line),
            ("name_field", &mut fields.name),
            ("email_field", &mut fields.email),
            ("test_field", &mut fields.test),
        ]
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
    /// See [`opened`](super::opened).
    #[field(default = "")]
    was: String,
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
    let mut typed = Connection {
        name: form.name,
        is_test: form.is_test.to_string(),
        fields: Fields {
            order: form.order_field,
            product: form.product_field,
            quantity: form.quantity_field,
            line: form.line_field,
            name: form.name_field,
            email: form.email_field,
            test: form.test_field,
        },
    };
    let (was, secret) = (form.was, form.secret);
    let (refused, typed) = app
        .run(move |service| {
            let mut current = Connection::of(&service.shop(id)?.shop);
            let conflicts = rebase(&was, typed.typed(), current.typed());
            if !conflicts.is_empty() {
                return Ok((Some((409, conflicts)), typed));
            }
            let draft = ShopDraft {
                name: typed.name.clone(),
                secret,
                is_test: typed.is_test == "true",
                fields: typed.fields.clone(),
            };
            match service.set_shop(&actor, id, draft) {
                Err(Error::Invalid(problems)) => Ok((Some((422, problems)), typed)),
                other => other.map(|()| (None, typed)),
            }
        })
        .await?;
    let Some((status, problems)) = refused else {
        let message = format!("{} saved.", typed.name.trim());
        return after(app, config, frame, id, Ok(()), &message).await;
    };
    let mut page = page(app, config, frame, id).await?;
    page.objection = problems.into();
    page.connection = typed;
    Ok(Either::Right(Page::with_status(status, &page)?))
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

#[get("/shops/<id>/secret")]
async fn confirm_secret(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let shop = app.run(move |service| service.shop(id)).await?.shop;
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Replace the address of {}?", shop.name),
        consequence: "The current address stops working at once: orders get no codes until the shop has the new \
                      one, which is shown only once. This cannot be undone."
            .to_owned(),
        lost: None,
        action: format!("/shops/{id}/secret"),
        fields: vec![],
        button: "Replace address",
        back: format!("/shops/{id}"),
    })?)
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
    page_with_secret(app, config, frame, id, Some(secret)).await
}

#[derive(Template)]
#[template(path = "shop_delete.html")]
struct DeletePage {
    frame: Frame,
    shop: Shop,
    orders: i64,
}

#[get("/shops/<id>/delete")]
async fn confirm_delete(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let (shop, orders) = app
        .run(move |service| Ok((service.shop(id)?.shop, service.orders_of_shop(id)?)))
        .await?;
    Ok(Page::new(&DeletePage {
        frame,
        shop,
        orders,
    })?)
}

#[post("/shops/<id>/delete", data = "<form>")]
async fn delete(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let shop = app
        .run(move |service| service.delete_shop(&form.actor, id))
        .await?;
    let message = format!("{} deleted. Its orders and codes stay.", shop.name);
    Ok(redirect_with_flash(config, "/shops", &message))
}

#[derive(Default)]
struct ProductForm {
    draft: ProductDraft,
    answers: Answers,
}

/// Accepts every input that is named after a field.
#[rocket::async_trait]
impl<'r> FromForm<'r> for ProductForm {
    type Context = ProductForm;

    fn init(_: Options) -> ProductForm {
        Default::default()
    }

    fn push_value(form: &mut ProductForm, input: ValueField<'r>) {
        let name = input.name.source().as_str();
        if !form.answers.push(name, input.value) {
            form.draft.set(name, input.value);
        }
    }

    async fn push_data(_: &mut ProductForm, _: DataField<'r, '_>) {}

    fn finalize(mut form: ProductForm) -> rocket::form::Result<'r, ProductForm> {
        let ProductForm { draft, answers } = &mut form;
        answers.apply(|field, value| draft.set(field, value));
        Ok(form)
    }
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
    let ProductForm { draft, answers } = form;
    let (saved, draft, answers) = app
        .run(move |service| {
            let saved = match service.product_doubts(&draft) {
                Ok(doubts) => match answers.open(doubts) {
                    open if open.is_empty() => service
                        .set_product(&actor, id, &draft)
                        .map(|()| Objection::default()),
                    doubts => Ok(Objection {
                        doubts,
                        ..Objection::default()
                    }),
                },
                Err(error) => Err(error),
            };
            Ok((saved, draft, answers))
        })
        .await?;
    let objection = match saved {
        Ok(objection) if objection.doubts.is_empty() => {
            return after(app, config, frame, id, Ok(()), "Product saved.").await;
        }
        Ok(objection) => objection,
        Err(Error::Invalid(problems)) => problems.into(),
        Err(error) => return Err(error.into()),
    };
    let page = ShopPage {
        objection,
        draft,
        answers,
        ..page(app, config, frame, id).await?
    };
    Ok(Either::Right(Page::with_status(422, &page)?))
}

#[get("/shops/<id>/products/<product>/delete")]
async fn confirm_delete_product(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    product: i64,
) -> Result<Page, Failure> {
    let found = app.run(move |service| service.shop(id)).await?;
    let mut products = found.products.iter();
    let product = products
        .find(|of| of.id == product)
        .ok_or(Error::NotFound("Product not found."))?;
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Delete the product {}?", product.product),
        consequence: format!(
            "Orders of it in {} will create no codes for {}. Codes that were sold stay as they are. To sell it again, \
             add the product again.",
            found.shop.name, product.item.tool_name
        ),
        lost: None,
        action: format!("/shops/{id}/products/{}/delete", product.id),
        fields: vec![],
        button: "Delete product",
        back: format!("/shops/{id}"),
    })?)
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
            page.objection = problems.into();
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// With the secret address of a generator, once.
pub(super) async fn page_with_secret(
    app: &App,
    config: &Config,
    frame: Frame,
    id: i64,
    secret: Option<String>,
) -> Result<Page, Failure> {
    let mut page = page(app, config, frame, id).await?;
    page.secret = secret;
    Ok(Page::new(&page)?)
}

async fn page(app: &App, config: &Config, frame: Frame, id: i64) -> Result<ShopPage, Error> {
    let (found, tools) = app
        .run(move |service| Ok((service.shop(id)?, service.tool_names()?)))
        .await?;
    let mut editions: Vec<String> = tools
        .iter()
        .flat_map(|tool| app.edition_names(tool))
        .collect();
    editions.sort();
    editions.dedup();
    Ok(ShopPage {
        frame,
        connection: Connection::of(&found.shop),
        was: carried(Connection::of(&found.shop).typed()),
        found,
        tools,
        editions,
        server_url: format!("{}{}", config.origin(config.port), config.base_path()),
        secret: None,
        tried: vec![],
        draft: ProductDraft {
            seats: "1".to_owned(),
            ..ProductDraft::default()
        },
        answers: Answers::default(),
        objection: Objection::default(),
        offset: app.utc_offset(),
        today: app.today(),
    })
}

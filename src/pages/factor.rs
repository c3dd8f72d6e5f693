//! The second factor of one's own account: set up, replaced recovery codes, removed.

use askama::Template;
use rocket::{Either, FromForm, Route, State, post, routes};

use super::Page;
use super::account::page_with_problems;
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::qr::Qr;
use super::shown;
use crate::auth::SignInCookies;
use crate::config::Config;
use crate::error::Error;
use crate::request::{App, Failure};
use crate::service::Enrolment;

pub(super) fn routes() -> Vec<Route> {
    routes![begin, set_up, change]
}

#[derive(Template)]
#[template(path = "factor_set_up.html")]
struct SetUpPage {
    frame: Frame,
    enrolment: Enrolment,
    qr: Qr,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "factor_codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
    is_new: bool,
}

#[derive(FromForm)]
struct PasswordForm {
    #[field(default = "")]
    password: String,
}

#[post("/account/factor", data = "<form>")]
async fn begin(
    app: &App,
    config: &State<Config>,
    cookies: SignInCookies<'_>,
    frame: Frame,
    form: SignedInForm<PasswordForm>,
) -> Result<Page, Failure> {
    let SignedInForm {
        form,
        session,
        signed_in,
        ..
    } = form;
    match app.begin_factor(signed_in, form.password).await {
        Ok((enrolment, renewed)) => {
            cookies.set_session(renewed);
            Ok(set_up_page(config, frame, enrolment, None)?)
        }
        Err(Error::Invalid(problems)) => {
            Ok(page_with_problems(app, frame, &session, problems).await?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(FromForm)]
struct SetUpForm {
    #[field(default = "")]
    secret: String,
    #[field(default = "")]
    seal: String,
    #[field(default = "")]
    code: String,
}

#[post("/account/factor/set-up", data = "<form>")]
async fn set_up(
    app: &App,
    config: &State<Config>,
    cookies: SignInCookies<'_>,
    frame: Frame,
    form: SignedInForm<SetUpForm>,
) -> Result<Page, Failure> {
    let SignedInForm {
        form,
        signed_in,
        actor,
        ..
    } = form;
    let (enrolment, codes) = app
        .run(move |service| {
            let enrolment = service.enrolment(&signed_in.session, &form.secret, &form.seal)?;
            let codes = service.set_up_factor(&actor, &signed_in, &enrolment, &form.code);
            Ok((enrolment, codes))
        })
        .await?;
    match codes {
        Ok((codes, new)) => {
            cookies.set(new);
            Ok(Page::new(&CodesPage {
                frame,
                codes,
                is_new: true,
            })?)
        }
        Err(error @ Error::Invalid(_)) => {
            let problem = Some(error.to_string());
            Ok(set_up_page(config, frame, enrolment, problem)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(FromForm)]
struct ChangeForm {
    #[field(default = "")]
    password: String,
    #[field(default = "")]
    code: String,
    #[field(default = "", name = "do")]
    verb: String,
}

#[post("/account/factor/change", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    cookies: SignInCookies<'_>,
    frame: Frame,
    form: SignedInForm<ChangeForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form,
        session,
        actor,
        signed_in,
    } = form;
    let (password, code) = (form.password, form.code);
    let codes = match form.verb.as_str() {
        "remove" => {
            let removed = app.remove_factor(actor, &signed_in, password, code);
            removed.await.map(|new| {
                cookies.set(new);
                None
            })
        }
        _ => {
            let renewed = app.renew_recovery_codes(actor, &signed_in, password, code);
            renewed.await.map(|(codes, session)| {
                cookies.set_session(session);
                Some(codes)
            })
        }
    };
    match codes {
        Ok(Some(codes)) => Ok(Either::Right(Page::new(&CodesPage {
            frame,
            codes,
            is_new: false,
        })?)),
        Ok(None) => {
            let message = "Second factor removed. Your password alone signs you in.";
            Ok(Either::Left(redirect_with_flash(
                config, "/account", message,
            )))
        }
        Err(Error::Invalid(problems)) => {
            let page = page_with_problems(app, frame, &session, problems).await?;
            Ok(Either::Right(page))
        }
        Err(error) => Err(error.into()),
    }
}

fn set_up_page(
    config: &Config,
    frame: Frame,
    enrolment: Enrolment,
    problem: Option<String>,
) -> Result<Page, Error> {
    let issuer = format!("License Server {}", config.host());
    let account = frame.user.as_deref().unwrap_or_default();
    let qr = Qr::new(&enrolment.factor.address(&issuer, account))?;
    let status = if problem.is_none() { 200 } else { 422 };
    let page = SetUpPage {
        frame,
        enrolment,
        qr,
        problem,
    };
    Page::with_status(status, &page)
}

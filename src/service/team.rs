//! The people who sign in: invited, changed, disabled, removed.

use time::{Duration, OffsetDateTime};

use super::mails::{DraftMail, NO_SUCH_MAIL};
use super::{Service, secrets};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Detail, Event, INVITED_BY, Kind, PERSON_ID};
use crate::model::mail::{Mail, MailEvent, NewMail};
use crate::model::mail_text::{Facts, InvitationFacts};
use crate::model::role::Role;
use crate::model::user::{UserValues, is_same_name};
use crate::store::invitations::{self, Invitation};
use crate::store::sessions;
use crate::store::users::{self, User};
use crate::store::{Db, Read, WriteTx, audit, outbox, tokens};

const INVITED_FOR: Duration = Duration::hours(72);
/// Before it ends.
const MAIL_TOO_LATE: Duration = Duration::HOUR;
const NO_SUCH_PERSON: Error = Error::NotFound("Person not found.");
const NO_SUCH_INVITATION: Error = Error::NotFound(
    "This invitation was used or withdrawn, or it is older than 72 hours. Ask for a new one.",
);

/// Somebody who signs in, with what is open.
#[derive(Debug)]
pub struct Person {
    pub user: User,
    /// Last used first.
    pub sessions: Vec<sessions::Session>,
    /// That have not expired.
    pub tokens: usize,
}

/// An invitation that waits.
#[derive(Debug)]
pub struct Invited {
    pub invitation: Invitation,
    pub expires_at: OffsetDateTime,
    pub is_expired: bool,
    /// None if who invited got the link.
    pub mail: Option<Mail>,
}

/// An invitation that was just made.
#[derive(Default)]
pub struct NewInvitation {
    /// The link, which is never shown again; none if it is mailed.
    pub url: Option<String>,
    /// To be written by hand.
    pub mail: Option<DraftMail>,
}

impl Service {
    /// Each larger role with who has at least that one: `admin`, or `admin or anna`.
    pub fn who_may_more(&self, own: Role) -> Result<Vec<(Role, String)>, Error> {
        let all = self.store.read(users::all)?;
        let larger = Role::ALL.into_iter().filter(|role| *role > own);
        Ok(larger.map(|role| (role, able(&all, role))).collect())
    }

    /// Who has at least that role.
    pub fn who_may(&self, needed: Role) -> Result<String, Error> {
        Ok(able(&self.store.read(users::all)?, needed))
    }

    /// By name.
    pub fn people(&self) -> Result<(Vec<Person>, Vec<Invited>), Error> {
        let users = self.store.read(users::all)?.into_iter();
        let people = users.map(|user| self.with_open(user));
        Ok((people.collect::<Result<_, _>>()?, self.invited()?))
    }

    /// Expired ones, too.
    pub(super) fn invited(&self) -> Result<Vec<Invited>, Error> {
        let now = self.clock.now();
        let invited = self.store.read_tx(|db| {
            let all = invitations::all(db)?.into_iter().map(|invitation| {
                let mail = outbox::of_key(db, &key(invitation.id))?;
                Ok((invitation, mail))
            });
            all.collect::<Read<Vec<_>>>()
        })?;
        let invited = invited.into_iter().map(|(invitation, mail)| {
            let expires_at = invitation.created_at + INVITED_FOR;
            Invited {
                is_expired: expires_at <= now,
                expires_at,
                invitation,
                mail,
            }
        });
        Ok(invited.collect())
    }

    pub fn person(&self, id: i64) -> Result<Person, Error> {
        let user = self.store.read(|db| users::get(db, id))?;
        self.with_open(user.ok_or(NO_SUCH_PERSON)?)
    }

    fn with_open(&self, user: User) -> Result<Person, Error> {
        let now = self.clock.now();
        let tokens = self.tokens(user.id)?.into_iter();
        Ok(Person {
            sessions: self.sessions(user.id)?,
            tokens: tokens.filter(|token| now < token.expires_at).count(),
            user,
        })
    }

    /// Works once within 72 hours, in place of an earlier invitation with the same name.
    pub fn invite(
        &self,
        actor: &Actor,
        inviter_id: i64,
        values: &UserValues,
    ) -> Result<NewInvitation, Error> {
        let (now, token) = (self.clock.now(), secrets::token()?);
        let has_address = values.can_be_mailed();
        self.store.write(|db| {
            name_is_free(db, &values.name, None)?;
            for earlier in invitations::all(db)? {
                if earlier.values.name == values.name {
                    invitations::delete(db, earlier.id)?;
                }
            }
            let hash = secrets::fingerprint(&token);
            let id = invitations::add(db, values, &hash, inviter_id, now)?;
            let event = about(Kind::PersonInvited, actor, None, values);
            let write = |url: &str| {
                let invitation = Invitation {
                    id,
                    values: values.clone(),
                    invited_by: actor.who.clone(),
                    created_at: now,
                };
                self.invitation_mail(db, &invitation, url)
            };
            if self.sends_mail() && has_address {
                // The outbox has no secret: each attempt makes a link of its own.
                let mail = write(&self.invitation_url("…"))?;
                let mail = NewMail {
                    key: key(id),
                    ..mail
                };
                let mail = outbox::add(db, &mail, &[], now)?.ok_or(NO_SUCH_MAIL)?;
                audit::append(db, event.with("mail", mail), now)?;
                return Ok(NewInvitation::default());
            }
            audit::append(db, event, now)?;
            let url = self.invitation_url(&token);
            let mail = has_address.then(|| write(&url)).transpose()?;
            Ok(NewInvitation {
                url: Some(url),
                mail: mail.map(DraftMail::from),
            })
        })
    }

    /// Once more, with a new link and another 72 hours.
    pub fn invite_again(
        &self,
        actor: &Actor,
        inviter_id: i64,
        id: i64,
    ) -> Result<(UserValues, NewInvitation), Error> {
        let all = self.store.read(invitations::all)?;
        let found = all.into_iter().find(|invitation| invitation.id == id);
        let values = found.ok_or(NO_SUCH_INVITATION)?.values;
        let new = self.invite(actor, inviter_id, &values)?;
        Ok((values, new))
    }

    fn invitation_url(&self, token: &str) -> String {
        format!("{}/invitation/{token}", self.mailer.server_url)
    }

    fn invitation_mail(
        &self,
        db: &Db,
        invitation: &Invitation,
        url: &str,
    ) -> Result<NewMail, Error> {
        let values = &invitation.values;
        let until = invitation.created_at + INVITED_FOR;
        let facts = Facts {
            server_url: self.mailer.server_url.clone(),
            invitation: InvitationFacts {
                name: values.name.clone(),
                role: values.role.as_str().to_owned(),
                invited_by: invitation.invited_by.clone(),
                url: url.to_owned(),
                until: self.shown(until),
            },
            ..Facts::default()
        };
        let event = MailEvent::Invitation;
        let (language, text) = self.text_of(db, event, "", &self.mailer.language, &facts)?;
        self.new_mail(event, String::new(), &values.email, language, text)
    }

    /// The mail with a link that is made now, in place of the one before; none if the invitation has ended, or ends
    /// before anybody reads it.
    pub(super) fn mail_with_invitation(
        &self,
        db: &WriteTx<'_>,
        mail: &Mail,
    ) -> Result<Option<NewMail>, Error> {
        let own = outbox::key(db, mail.id)?;
        let mut all = invitations::all(db)?.into_iter();
        let invitation = all.find(|invitation| key(invitation.id) == own);
        let last = self.clock.now() + MAIL_TOO_LATE;
        let Some(invitation) = invitation.filter(|found| last < found.created_at + INVITED_FOR)
        else {
            return Ok(None);
        };
        let token = secrets::token()?;
        invitations::set_token(db, invitation.id, &secrets::fingerprint(&token))?;
        let mail = self.invitation_mail(db, &invitation, &self.invitation_url(&token))?;
        Ok(Some(mail))
    }

    pub fn withdraw_invitation(&self, actor: &Actor, id: i64) -> Result<Invitation, Error> {
        self.store.write(|db| {
            let all = invitations::all(db)?;
            let found = all.into_iter().find(|invitation| invitation.id == id);
            let found = found.ok_or(NO_SUCH_INVITATION)?;
            invitations::delete(db, id)?;
            let event = about(Kind::InvitationWithdrawn, actor, None, &found.values);
            audit::append(db, event, self.clock.now())?;
            Ok(found)
        })
    }

    /// The invitation with that secret.
    pub fn invitation(&self, token: &str) -> Result<Invitation, Error> {
        let found = self.store.read(|db| self.open_invitation(db, token))?;
        found.ok_or(NO_SUCH_INVITATION)
    }

    fn open_invitation(&self, db: &Db, token: &str) -> Read<Option<Invitation>> {
        let found = invitations::by_token_hash(db, &secrets::fingerprint(token))?;
        let now = self.clock.now();
        Ok(found.filter(|invitation| now < invitation.created_at + INVITED_FOR))
    }

    /// Makes the person who was invited, with the password that she chose.
    pub fn accept_invitation(
        &self,
        token: &str,
        password: &str,
        address: &str,
    ) -> Result<(), Error> {
        let values = self.invitation(token)?.values;
        self.check_password("new", password, &values.name)?;
        let hash = self.passwords.hash(password)?;
        let now = self.clock.now();
        self.store.write(|db| {
            let invitation = self.open_invitation(db, token)?.ok_or(NO_SUCH_INVITATION)?;
            name_is_free(db, &values.name, None)?;
            invitations::delete(db, invitation.id)?;
            let id = users::add(db, &values, &hash, now)?;
            let actor = Actor::person(id, &values.name, address);
            let event = about(Kind::PersonAdded, &actor, Some(id), &values);
            let invited_by = Detail::personal(&invitation.invited_by);
            audit::append(db, event.with(INVITED_BY, invited_by), now)?;
            Ok(())
        })
    }

    /// From the command line.
    pub fn add_person(&self, values: &UserValues, password: &str) -> Result<(), Refusal> {
        self.check_password("password", password, &values.name)?;
        let hash = self.passwords.hash(password)?;
        let now = self.clock.now();
        self.store.write(|db| {
            name_is_free(db, &values.name, None)?;
            let id = users::add(db, values, &hash, now)?;
            let event = about(Kind::PersonAdded, &Actor::command_line(), Some(id), values);
            audit::append(db, event, now)
        })?;
        Ok(())
    }

    /// Name, e-mail address and role. A smaller role counts from the next request on.
    pub fn change_person(&self, actor: &Actor, id: i64, values: &UserValues) -> Result<(), Error> {
        self.store.write(|db| {
            let user = users::get(db, id)?.ok_or(NO_SUCH_PERSON)?;
            self.change(db, actor, &user, values)
        })
    }

    /// What everybody may change of herself. Returns what she has now.
    pub fn change_own_name(
        &self,
        actor: &Actor,
        id: i64,
        name: &str,
        email: &str,
    ) -> Result<UserValues, Error> {
        if self.sends_mail() {
            // To the address before: whoever signed in with a stolen password may be changing it.
            self.queue_alerts()?;
        }
        self.store.write(|db| {
            let user = users::get(db, id)?.ok_or(NO_SUCH_PERSON)?;
            let values = UserValues::parse(name, email, user.values.role.as_str())?;
            self.change(db, actor, &user, &values)?;
            Ok(values)
        })
    }

    fn change(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        user: &User,
        values: &UserValues,
    ) -> Result<(), Error> {
        if user.values == *values {
            return Ok(());
        }
        name_is_free(db, &values.name, Some(user.id))?;
        if values.role < Role::Owner {
            leave_an_owner(db, user)?;
            invitations::delete_of_inviter(db, user.id)?;
        }
        users::update(db, user.id, values)?;
        let event = Event::new(Kind::PersonChanged, actor)
            .with(PERSON_ID, user.id)
            .with("person", Detail::personal(&user.values.name))
            .changed(
                "name",
                Detail::personal(&user.values.name),
                Detail::personal(&values.name),
            )
            .changed(
                "email",
                Detail::personal(&user.values.email),
                Detail::personal(&values.email),
            )
            .changed(
                "role",
                user.values.role.as_str().into(),
                values.role.as_str().into(),
            );
        audit::append(db, event, self.clock.now())?;
        Ok(())
    }

    /// A disabled person is signed out, her invitations are withdrawn, and her tokens are refused until she is enabled
    /// again.
    pub fn set_disabled(&self, actor: &Actor, id: i64, is_disabled: bool) -> Result<User, Error> {
        self.store.write(|db| {
            let user = users::get(db, id)?.ok_or(NO_SUCH_PERSON)?;
            if user.is_disabled == is_disabled {
                return Ok(user);
            }
            let kind = match is_disabled {
                true => {
                    leave_an_owner(db, &user)?;
                    sessions::delete_of_user(db, id)?;
                    invitations::delete_of_inviter(db, id)?;
                    Kind::PersonDisabled
                }
                false => Kind::PersonEnabled,
            };
            users::set_disabled(db, id, is_disabled)?;
            let event = about(kind, actor, Some(id), &user.values);
            audit::append(db, event, self.clock.now())?;
            Ok(user)
        })
    }

    /// With sessions, invitations and API tokens; the audit log keeps the name.
    pub fn remove_person(&self, actor: &Actor, id: i64) -> Result<User, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let user = users::get(db, id)?.ok_or(NO_SUCH_PERSON)?;
            leave_an_owner(db, &user)?;
            for token in tokens::of_user(db, id)? {
                super::tokens::revoke(db, actor, &token, now)?;
            }
            users::delete(db, id)?;
            let event = about(Kind::PersonRemoved, actor, Some(id), &user.values);
            audit::append(db, event, now)?;
            Ok(user)
        })
    }
}

/// An invitation has one mail.
fn key(invitation_id: i64) -> String {
    format!("invitation {invitation_id}")
}

/// The largest role first.
fn able(all: &[User], needed: Role) -> String {
    let mut able: Vec<&User> = all
        .iter()
        .filter(|user| !user.is_disabled && user.values.role >= needed)
        .collect();
    able.sort_by_key(|user| std::cmp::Reverse(user.values.role));
    let names: Vec<&str> = able.iter().map(|user| &*user.values.name).collect();
    match names[..] {
        [] => "an owner".to_owned(),
        [one] => one.to_owned(),
        [one, other, ..] => format!("{one} or {other}"),
    }
}

/// Without an ID before an invitation is accepted.
fn about(kind: Kind, actor: &Actor, id: Option<i64>, values: &UserValues) -> Event {
    let event = Event::new(kind, actor)
        .with("name", Detail::personal(&values.name))
        .with("role", values.role.as_str());
    match id {
        Some(id) => event.with(PERSON_ID, id),
        None => event,
    }
}

/// No other person has a name that people would take for it.
fn name_is_free(db: &WriteTx<'_>, name: &str, own: Option<i64>) -> Result<(), Error> {
    let mut others = users::all(db)?.into_iter();
    let taken = others.find(|user| Some(user.id) != own && is_same_name(&user.values.name, name));
    match taken {
        Some(user) => Err(Error::invalid(
            "name",
            format!(
                "The name `{}` is taken; choose another one.",
                user.values.name
            ),
        )),
        None => Ok(()),
    }
}

/// Refuses what would leave nobody who may do everything.
fn leave_an_owner(db: &WriteTx<'_>, leaving: &User) -> Result<(), Error> {
    let is_owner = |user: &User| user.values.role == Role::Owner && !user.is_disabled;
    let has_other = users::all(db)?
        .iter()
        .any(|user| user.id != leaving.id && is_owner(user));
    match is_owner(leaving) && !has_other {
        true => Err(Error::Conflict(format!(
            "{} is the only owner. Make somebody else an owner first.",
            leaving.values.name
        ))),
        false => Ok(()),
    }
}

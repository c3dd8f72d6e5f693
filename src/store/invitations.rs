//! The table of invitations, which people accept by choosing a password.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::moment;
use super::users::role;
use crate::model::user::UserValues;

#[derive(Debug, Clone)]
pub struct Invitation {
    pub id: i64,
    pub values: UserValues,
    pub invited_by: String,
    pub created_at: OffsetDateTime,
}

const COLUMNS: &str = "invitations.id, invitations.name, invitations.email, invitations.role, users.name, \
     invitations.created_at from invitations join users on users.id = invitations.invited_by";

/// Returns its ID.
pub fn add(
    db: &Db,
    values: &UserValues,
    token_hash: &str,
    invited_by: i64,
    now: OffsetDateTime,
) -> Result<i64> {
    db.one(
        "insert into invitations (token_hash, name, email, role, invited_by, created_at)
         values (?1, ?2, ?3, ?4, ?5, ?6) returning id",
        &[
            &token_hash,
            &values.name,
            &values.email,
            &values.role.as_str(),
            &invited_by,
            &now.unix_timestamp(),
        ],
        |row| row.get(0),
    )
}

/// The link before no longer works.
pub fn set_token(db: &Db, id: i64, token_hash: &str) -> Result<()> {
    db.run(
        "update invitations set token_hash = ?2 where id = ?1",
        &[&id, &token_hash],
    )?;
    Ok(())
}

pub fn by_token_hash(db: &Db, token_hash: &str) -> Result<Option<Invitation>> {
    db.one(
        &format!("select {COLUMNS} where token_hash = ?1"),
        &[&token_hash],
        invitation,
    )
    .optional()
}

/// By name, including expired ones.
pub fn all(db: &Db) -> Result<Vec<Invitation>> {
    db.all(
        &format!("select {COLUMNS} order by invitations.name, invitations.id"),
        &[],
        invitation,
    )
}

/// Those that a person sent who may invite nobody any longer.
pub fn delete_of_inviter(db: &Db, user_id: i64) -> Result<()> {
    db.run("delete from invitations where invited_by = ?1", &[&user_id])?;
    Ok(())
}

pub fn delete(db: &Db, id: i64) -> Result<()> {
    db.run("delete from invitations where id = ?1", &[&id])?;
    Ok(())
}

fn invitation(row: &Row<'_>) -> Result<Invitation> {
    Ok(Invitation {
        id: row.get(0)?,
        values: UserValues {
            name: row.get(1)?,
            email: row.get(2)?,
            role: role(row, 3)?,
        },
        invited_by: row.get(4)?,
        created_at: moment(row, 5)?,
    })
}

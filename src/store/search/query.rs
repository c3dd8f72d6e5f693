//! A `select` on the licenses that grows by its conditions.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params_from_iter};
use time::Date;

use super::ways::{Parts, Way, is_sorted, parts};
use crate::model::fold::holds;
use crate::model::new_license::format_date;
use crate::model::search::{Activity, Days, Ends, Filter, Fragment, Mark, NEVER, Order, Piece};

const CUSTOMER: &str = "coalesce(licenses.user_id, '')";
const END: &str = "coalesce(licenses.expiration_date, 'never')";

const HOLDS: &str =
    "holds(?, licenses.license_key, licenses.user_id, licenses.tool_name, licenses.note)";

/// Adds the function of [`HOLDS`]: whether one of the texts holds one of the spellings.
pub fn add_functions(db: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function("holds", 5, flags, |context| {
        let text = |number| context.get_raw(number).as_str_or_null();
        let texts = [text(1)?, text(2)?, text(3)?, text(4)?];
        let mut spellings = context.get_raw(0).as_str()?.split('\0');
        Ok(spellings.any(|spelling| texts.iter().flatten().any(|text| holds(text, spelling))))
    })
}

/// Whether an index is entered by a condition, or each row is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Index,
    Row,
}

impl By {
    pub(super) fn when(is_index: bool) -> By {
        if is_index { By::Index } else { By::Row }
    }
}

/// Where the rows of a piece are looked for.
pub(super) enum Step<'a> {
    /// At the beginning.
    First,
    /// Behind that number.
    LaterNumbers(&'a Mark),
    /// Behind that place, among the rows of the same value.
    SameValue(&'a Mark),
    /// Behind all rows of that value.
    LaterValues(&'a Mark),
    /// Behind that place, without an index.
    Both(&'a Mark),
}

impl Step<'_> {
    /// One after the other. An index on an expression is not entered by a pair, so that there are two
    /// where the rows are sorted.
    pub(super) fn of(piece: &Piece, way: Way) -> Vec<Step<'_>> {
        match &piece.beyond {
            None => vec![Step::First],
            Some(mark) if piece.order == Order::Created => vec![Step::LaterNumbers(mark)],
            Some(mark) if is_sorted(way, Some(piece.order)) => {
                vec![Step::SameValue(mark), Step::LaterValues(mark)]
            }
            Some(mark) => vec![Step::Both(mark)],
        }
    }
}

/// A `select` that grows by its conditions; parameters are numbered as they come.
pub(super) struct Query {
    pub(super) from: String,
    pub(super) id_column: &'static str,
    is_sorted: bool,
    conditions: Vec<(By, String)>,
    pub(super) values: Vec<Value>,
}

impl Query {
    pub(super) fn on(table: &str) -> Query {
        Query {
            from: table.to_owned(),
            id_column: "licenses.id",
            is_sorted: false,
            conditions: vec![],
            values: vec![],
        }
    }

    pub(super) fn new(filter: &Filter, way: Way, order: Option<Order>) -> Query {
        let mut query = Query::on("licenses");
        query.is_sorted = is_sorted(way, order);
        let leads =
            |to: Way, by: Order| By::when(way == to || (way == Way::Order && order == Some(by)));
        match &filter.fragment {
            Some(fragment) if way == Way::Fragment => query.find(fragment),
            Some(fragment) if way == Way::Short => {
                let ids = format!("licenses.id in ({})", query.begun_by(fragment));
                query.conditions.push((By::Index, ids));
            }
            Some(fragment) => query.look_for(fragment),
            None => {}
        }
        let (by_tool, by_status) = match parts(filter, way, order) {
            Parts::One => (By::Row, By::Row),
            Parts::Tools => (By::Index, By::Row),
            Parts::Kinds => (By::Index, By::Index),
        };
        query.and_kind(filter, "licenses.", by_tool, by_status);
        if let Some(ends) = filter.ends {
            query.and_end(leads(Way::End, Order::Expires), ends);
        }
        let by_seen = leads(Way::LastSeen, Order::LastSeen);
        let last_seen = "licenses.last_seen_on";
        match filter.activity {
            None => {}
            Some(Activity::Never) => query.and_text(by_seen, last_seen, "=", ""),
            Some(Activity::LastSeen(days)) => query.and_days(by_seen, last_seen, days, ""),
            Some(Activity::RefusedSince(day)) => {
                query.and_since(By::when(way == Way::Refused), "licenses.refused_on", day);
            }
            Some(Activity::SinceEnd) => {
                let asked = format!("{} > {END}", plain(last_seen));
                query.conditions.push((By::Row, asked));
            }
            Some(Activity::SharedSince(day)) => {
                query.and_since(By::when(way == Way::Shared), "licenses.shared_on", day);
            }
        }
        if let Some(user_id) = &filter.user_id {
            query.and_text(
                leads(Way::Customer, Order::Customer),
                CUSTOMER,
                "=",
                user_id,
            );
        }
        query
    }

    /// Ids, some of them several times: of all licenses with a trigram that the fragment begins.
    pub(super) fn short(fragment: &Fragment) -> Query {
        let mut query = Query::on("");
        query.from = format!("({})", query.begun_by(fragment));
        query
    }

    /// `condition` holds one `?`, which stands for `value`.
    pub(super) fn and(&mut self, by: By, condition: &str, value: Value) {
        self.values.push(value);
        let condition = condition.replace('?', &format!("?{}", self.values.len()));
        self.conditions.push((by, condition));
    }

    pub(super) fn and_text(&mut self, by: By, column: &str, comparison: &str, text: &str) {
        let column = match by {
            By::Index => column.to_owned(),
            By::Row => plain(column),
        };
        self.and(
            by,
            &format!("{column} {comparison} ?"),
            text.to_owned().into(),
        );
    }

    pub(super) fn and_kind(&mut self, filter: &Filter, table: &str, by_tool: By, by_status: By) {
        if let Some(tool_name) = &filter.tool_name {
            self.and_text(by_tool, &format!("{table}tool_name"), "=", tool_name);
        }
        if let Some(status) = filter.status {
            self.and_text(by_status, &format!("{table}status"), "=", status.as_str());
        }
    }

    /// The index has an expression; the column itself, which no index begins with, is read faster.
    fn and_end(&mut self, by: By, ends: Ends) {
        let column = "licenses.expiration_date";
        match (by, ends) {
            (By::Index, Ends::Never) => self.and_text(by, END, "=", NEVER),
            // What stands for never comes behind all days.
            (By::Index, Ends::NotBefore(day)) => self.and_text(by, END, ">=", &format_date(day)),
            (By::Index, Ends::On(days)) => self.and_days(by, END, days, NEVER),
            (By::Row, Ends::Never) => self.conditions.push((by, format!("{column} is null"))),
            (By::Row, Ends::NotBefore(day)) => {
                let either = format!("({column} is null or {column} >= ?)");
                self.and(by, &either, format_date(day).into());
            }
            (By::Row, Ends::On(days)) => {
                self.conditions.push((by, format!("{column} is not null")));
                for (sign, day) in [(">=", days.from), ("<=", days.until)] {
                    if let Some(day) = day {
                        let within = format!("{column} {sign} ?");
                        self.and(by, &within, format_date(day).into());
                    }
                }
            }
        }
    }

    /// `never` stands for no day. One bound a side: of two, SQLite may enter an index by the wider one.
    pub(super) fn and_days(&mut self, by: By, column: &str, days: Days, never: &str) {
        let mut from = days.from.map(|day| (">=", format_date(day)));
        let mut until = days.until.map(|day| ("<=", format_date(day)));
        let (open, sign) = match never == NEVER {
            true => (&mut until, "<"),
            false => (&mut from, ">"),
        };
        open.get_or_insert((sign, never.to_owned()));
        for (sign, value) in [from, until].into_iter().flatten() {
            self.and_text(by, column, sign, &value);
        }
    }

    /// The index of such a column has only the rows where it is not empty.
    fn and_since(&mut self, by: By, column: &str, day: Date) {
        self.conditions.push((by, format!("{column} <> ''")));
        self.and_text(by, column, ">=", &format_date(day));
    }

    fn find(&mut self, fragment: &Fragment) {
        self.from = "license_search join licenses on licenses.id = license_search.rowid".to_owned();
        self.id_column = "license_search.rowid";
        let quoted = |s: &String| format!("\"{}\"", s.replace('"', "\"\""));
        let any: Vec<String> = fragment.spellings.iter().map(quoted).collect();
        self.and(By::Index, "license_search match ?", any.join(" OR ").into());
    }

    /// A `select` of the ids: no spelling of such a fragment is longer than a trigram.
    fn begun_by(&mut self, fragment: &Fragment) -> String {
        let mut selects = Vec::new();
        for spelling in &fragment.spellings {
            let behind = format!("{spelling}{}", char::MAX);
            self.values.extend([spelling.clone().into(), behind.into()]);
            let number = self.values.len();
            selects.push(format!(
                "select doc from license_terms where term >= ?{} and term < ?{number}",
                number - 1
            ));
        }
        selects.join(" union all ")
    }

    fn look_for(&mut self, fragment: &Fragment) {
        self.and(By::Row, HOLDS, fragment.spellings.join("\0").into());
    }

    /// Adds where that step of a piece begins; returns how it is sorted and where it ends.
    pub(super) fn in_order(&mut self, piece: &Piece, step: &Step<'_>) -> String {
        let (beyond, direction) = if piece.is_descending {
            ("<", "desc")
        } else {
            (">", "asc")
        };
        let (mut id, mut by) = (self.id_column.to_owned(), value(piece.order).to_owned());
        if !self.is_sorted {
            (id, by) = (format!("{id} + 0"), plain(&by));
        }
        let place = By::when(self.is_sorted);
        let behind = format!("{id} {beyond} ?");
        match step {
            Step::First => {}
            Step::LaterNumbers(mark) => self.and(place, &behind, mark.id.into()),
            Step::SameValue(mark) => {
                self.and(place, &format!("{by} = ?"), mark.value.clone().into());
                self.and(place, &behind, mark.id.into());
            }
            Step::LaterValues(mark) => {
                self.ask_rows(&by, beyond);
                let later = format!("{by} {beyond} ?");
                self.and(place, &later, mark.value.clone().into());
            }
            Step::Both(mark) => {
                self.values.push(mark.value.clone().into());
                let pair = format!("({by}, {id}) {beyond} (?{}, ", self.values.len());
                self.values.push(mark.id.into());
                let pair = format!("{pair}?{})", self.values.len());
                self.conditions.push((place, pair));
            }
        }
        let by = if piece.order == Order::Created {
            String::new()
        } else {
            format!("{by} {direction}, ")
        };
        format!("order by {by}{id} {direction} limit {}", piece.limit)
    }

    /// Where a piece begins is the nearer bound: the index shall not be entered by that of the filter.
    fn ask_rows(&mut self, by: &str, beyond: &str) {
        for (place, condition) in &mut self.conditions {
            if let Some(bound) = condition.strip_prefix(&format!("{by} {beyond}")) {
                *condition = format!("{} {beyond}{bound}", plain(by));
                *place = By::Row;
            }
        }
    }

    fn all(&self, wanted: impl Fn(By) -> bool) -> Option<String> {
        let conditions = self.conditions.iter().filter(|(by, _)| wanted(*by));
        let conditions: Vec<&str> = conditions.map(|(_, text)| text.as_str()).collect();
        (!conditions.is_empty()).then(|| conditions.join(" and "))
    }

    fn select(&self, columns: &str, condition: Option<String>, tail: &str) -> String {
        let condition = condition.map_or(String::new(), |all| format!("where {all}"));
        format!("select {columns} from {} {condition} {tail}", self.from)
    }

    pub(super) fn run<T>(
        &self,
        db: &Connection,
        columns: &str,
        tail: &str,
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let sql = self.select(columns, self.all(|_| true), tail);
        db.prepare_cached(&sql)?
            .query_map(params_from_iter(&self.values), map)?
            .collect()
    }

    /// The rows that the index leads to, and in the last column whether they fit.
    pub(super) fn leading(&self, columns: &str, tail: &str) -> String {
        let fits = self.all(|by| by == By::Row);
        let fits = fits.map_or("1".to_owned(), |all| format!("({all})"));
        let columns = format!("{columns}{fits} as fits");
        self.select(&columns, self.all(|by| by == By::Index), tail)
    }

    /// How many rows were looked at, not more than `most`, and how many of them fit.
    pub(super) fn count(&self, db: &Connection, most: i64) -> Result<(i64, i64)> {
        let rows = self.leading("", &format!("limit {most}"));
        let sql = format!("select count(*), coalesce(sum(fits), 0) from ({rows})");
        db.prepare_cached(&sql)?
            .query_row(params_from_iter(&self.values), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
    }
}

/// What an order sorts by, besides the number.
pub(super) fn value(order: Order) -> &'static str {
    match order {
        Order::Created => "''",
        Order::LastSeen => "licenses.last_seen_on",
        Order::Expires => END,
        Order::Customer => CUSTOMER,
        Order::Key => "licenses.license_key",
        Order::Tool => "licenses.tool_name",
        Order::Status => "licenses.status",
    }
}

/// An expression that no index is asked for.
fn plain(expression: &str) -> String {
    format!("{expression} || ''")
}

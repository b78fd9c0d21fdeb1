//! A statement of earnings as a table: a row for each accepted task, each payout and each fee, and their sums.
//!
//! It is comma-separated text by RFC 4180. `docs/settlement.md` describes the columns. Text from strangers, such as a
//! job's title, is written so that no spreadsheet takes it for a formula.

use chrono::{DateTime, FixedOffset};
use csv::{Terminator, WriterBuilder};
use lull_types::{AssignmentId, BaseUnits, Coded, Payout, PayoutStage, UnixMillis};

/// An accepted task as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedTask {
    /// Its receipt's number.
    pub nonce: u64,
    /// All that was earned with it.
    pub cumulative: BaseUnits,
    /// What it earned.
    pub amount: BaseUnits,
    /// When its receipt came.
    pub received_at: UnixMillis,
    /// Its assignment.
    pub assignment: AssignmentId,
    /// The job's title and kind; none when the assignment is no longer known.
    pub job: Option<(String, String)>,
    /// When it was taken.
    pub taken_at: Option<UnixMillis>,
    /// Time on the device.
    pub ran_ms: Option<u64>,
    /// Energy, where it was measured.
    pub milliwatt_hours: Option<u64>,
    /// What a kilowatt-hour cost while it ran, in millionths of a US dollar, where that was kept.
    pub micro_per_kwh: Option<i64>,
}

/// What a statement is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Accepted tasks, in order of their receipts.
    pub tasks: Vec<StatedTask>,
    /// Payouts that were final in that time, in any order.
    pub payouts: Vec<Payout>,
    /// Price of power, in millionths of a US dollar for a kilowatt-hour, of tasks whose own is not known.
    pub present_micro_per_kwh: i64,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_minutes: i32,
}

/// Why there is no statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The sum of the tasks is not what the receipts say.
    #[error(
        "the tasks add up to {sum} USDC and the receipts to {receipts}, so no statement was made; verify the receipts"
    )]
    DoesNotAddUp {
        /// The sum of the tasks.
        sum: BaseUnits,
        /// What the receipts rose by.
        receipts: BaseUnits,
    },
    /// It could not be written.
    #[error("the statement could not be written: {0}")]
    NotWritten(String),
}

impl Coded for StatementError {
    fn code(&self) -> &'static str {
        match self {
            Self::DoesNotAddUp { .. } => "statement_does_not_add_up",
            Self::NotWritten(_) => "export_failed",
        }
    }
}

const COLUMNS: [&str; 18] = [
    "row",
    "task",
    "title",
    "kind",
    "start",
    "end",
    "duration_s",
    "gross_usdc",
    "energy_wh",
    "tariff_usd_per_kwh",
    "power_cost_usdc",
    "net_usdc",
    "receipt",
    "payout",
    "paid_usdc",
    "fee_usdc",
    "signature",
    "tariff_basis",
];

/// The price of power is that of when the task ran.
const BASIS_WHEN_IT_RAN: &str = "when it ran";
/// It is the present one, as none was kept with the task.
const BASIS_PRESENT: &str = "present";

/// A row by its columns; what it does not have stays empty.
#[derive(Default)]
struct Row {
    row: &'static str,
    task: String,
    title: String,
    kind: String,
    start: String,
    end: String,
    duration_s: String,
    gross: String,
    energy_wh: String,
    tariff: String,
    cost: String,
    net: String,
    receipt: String,
    payout: String,
    paid: String,
    fee: String,
    signature: String,
    tariff_basis: &'static str,
}

impl Row {
    fn fields(&self) -> [&str; 18] {
        [
            self.row,
            &self.task,
            &self.title,
            &self.kind,
            &self.start,
            &self.end,
            &self.duration_s,
            &self.gross,
            &self.energy_wh,
            &self.tariff,
            &self.cost,
            &self.net,
            &self.receipt,
            &self.payout,
            &self.paid,
            &self.fee,
            &self.signature,
            self.tariff_basis,
        ]
    }
}

/// Sums over all rows.
#[derive(Default)]
struct Sums {
    gross: u64,
    milliwatt_hours: u64,
    /// Below zero where whoever takes power was paid for it.
    cost: i64,
    /// Whether the energy of every task is known.
    all_measured: bool,
    paid: u64,
    fees: u64,
}

impl Statement {
    /// Writes the table.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn to_csv(&self) -> Result<Vec<u8>, StatementError> {
        self.check()?;
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        let mut write = |fields: [&str; 18]| {
            writer.write_record(fields).map_err(|error| StatementError::NotWritten(error.to_string()))
        };
        write(COLUMNS)?;
        let mut sums = Sums { all_measured: true, ..Sums::default() };
        for task in &self.tasks {
            write(self.task(task, &mut sums).fields())?;
        }
        let mut payouts: Vec<_> = self.payouts.iter().collect();
        payouts.sort_by_key(|payout| (payout.at, payout.id));
        for payout in payouts {
            for row in self.payout(payout, &mut sums) {
                write(row.fields())?;
            }
        }
        write(self.total(&sums).fields())?;
        writer.into_inner().map_err(|error| StatementError::NotWritten(error.to_string()))
    }

    /// Whether the tasks are those of the receipts: the sum must be what the cumulative earnings rose by.
    fn check(&self) -> Result<(), StatementError> {
        let (Some(first), Some(last)) = (self.tasks.first(), self.tasks.last()) else { return Ok(()) };
        let sum = self.tasks.iter().fold(0u64, |sum, task| sum.saturating_add(task.amount.0));
        let rose = last.cumulative.0.saturating_add(first.amount.0).saturating_sub(first.cumulative.0);
        if sum == rose {
            Ok(())
        } else {
            Err(StatementError::DoesNotAddUp { sum: BaseUnits(sum), receipts: BaseUnits(rose) })
        }
    }

    fn task(&self, task: &StatedTask, sums: &mut Sums) -> Row {
        let price = task.micro_per_kwh.unwrap_or(self.present_micro_per_kwh);
        let cost = task.milliwatt_hours.map(|energy| cost(energy, price));
        sums.gross = sums.gross.saturating_add(task.amount.0);
        sums.milliwatt_hours = sums.milliwatt_hours.saturating_add(task.milliwatt_hours.unwrap_or(0));
        sums.cost = sums.cost.saturating_add(cost.unwrap_or(0));
        sums.all_measured &= cost.is_some();
        let (title, kind) =
            task.job.as_ref().map(|(title, kind)| (harmless(title), harmless(kind))).unwrap_or_default();
        Row {
            row: "task",
            task: task.assignment.to_string(),
            title,
            kind,
            start: task.taken_at.map(|at| self.local(at)).unwrap_or_default(),
            end: self.local(task.received_at),
            duration_s: task.ran_ms.map(thousandths).unwrap_or_default(),
            gross: task.amount.to_string(),
            energy_wh: task.milliwatt_hours.map(thousandths).unwrap_or_default(),
            tariff: signed(price.into()),
            cost: cost.map(|cost| signed(cost.into())).unwrap_or_default(),
            net: cost.map(|cost| less(task.amount.0, cost)).unwrap_or_default(),
            receipt: task.nonce.to_string(),
            tariff_basis: if task.micro_per_kwh.is_some() { BASIS_WHEN_IT_RAN } else { BASIS_PRESENT },
            ..Row::default()
        }
    }

    fn payout(&self, payout: &Payout, sums: &mut Sums) -> Vec<Row> {
        if payout.stage != PayoutStage::Confirmed {
            return Vec::new();
        }
        sums.paid = sums.paid.saturating_add(payout.amount.0);
        sums.fees = sums.fees.saturating_add(payout.fee.0);
        let row = |row| Row {
            row,
            end: self.local(payout.at),
            payout: payout.id.to_string(),
            signature: payout.signature.map(|signature| signature.to_string()).unwrap_or_default(),
            ..Row::default()
        };
        let mut rows = vec![Row { paid: payout.amount.to_string(), ..row("payout") }];
        if payout.fee > BaseUnits::ZERO {
            rows.push(Row { fee: payout.fee.to_string(), ..row("fee") });
        }
        rows
    }

    fn total(&self, sums: &Sums) -> Row {
        let some_measured = sums.milliwatt_hours > 0;
        let receipts = match (self.tasks.first(), self.tasks.last()) {
            (Some(first), Some(last)) => format!("{} to {}", first.nonce, last.nonce),
            _ => String::new(),
        };
        Row {
            row: "total",
            gross: BaseUnits(sums.gross).to_string(),
            energy_wh: if some_measured { thousandths(sums.milliwatt_hours) } else { String::new() },
            cost: if some_measured { signed(sums.cost.into()) } else { String::new() },
            // What is not known of one task is not known of all.
            net: if sums.all_measured { less(sums.gross, sums.cost) } else { String::new() },
            receipt: receipts,
            paid: BaseUnits(sums.paid).to_string(),
            fee: BaseUnits(sums.fees).to_string(),
            ..Row::default()
        }
    }

    fn local(&self, at: UnixMillis) -> String {
        let offset = FixedOffset::east_opt(self.utc_offset_minutes.saturating_mul(60));
        let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
        let time = DateTime::from_timestamp_millis(millis).zip(offset);
        time.map(|(at, offset)| at.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S%:z").to_string())
            .unwrap_or_default()
    }
}

/// Millionths of a dollar for thousandths of a watt-hour, of which a million are a kilowatt-hour; to the nearest.
fn cost(milliwatt_hours: u64, micro_per_kwh: i64) -> i64 {
    let exact = i128::from(milliwatt_hours) * i128::from(micro_per_kwh);
    let half = if exact < 0 { -500_000 } else { 500_000 };
    i64::try_from((exact + half) / 1_000_000).unwrap_or(i64::MAX)
}

/// A difference of money, which may be below zero.
fn less(gross: u64, cost: i64) -> String {
    signed(i128::from(gross) - i128::from(cost))
}

/// Millionths as a decimal number, which may be below zero.
fn signed(micro: i128) -> String {
    let size = BaseUnits(u64::try_from(micro.unsigned_abs()).unwrap_or(u64::MAX));
    if micro < 0 { format!("-{size}") } else { size.to_string() }
}

/// Thousandths as a decimal number.
fn thousandths(count: u64) -> String {
    format!("{}.{:03}", count / 1000, count % 1000)
}

/// Text from a stranger. Spreadsheets take what begins with one of these for a formula, which may send the sheet's
/// content elsewhere or run a program; an apostrophe before it makes it text.
fn harmless(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    let begins_a_formula =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '|' | '%');
    if plain.trim_start().starts_with(begins_a_formula) { format!("'{plain}") } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::TransactionSignature;

    fn task(nonce: u64, amount: u64, milliwatt_hours: Option<u64>) -> StatedTask {
        StatedTask {
            nonce,
            cumulative: BaseUnits(1_000_000 + nonce * 1_000),
            amount: BaseUnits(amount),
            received_at: UnixMillis(1_800_000_060_000),
            assignment: AssignmentId::from_parts(UnixMillis(nonce), &[0; 10]),
            job: Some(("A picture, \"whole\"".into(), "wgsl/1".into())),
            taken_at: Some(UnixMillis(1_800_000_000_000)),
            ran_ms: Some(59_500),
            milliwatt_hours,
            micro_per_kwh: None,
        }
    }

    fn payout(id: u64, stage: PayoutStage) -> Payout {
        Payout {
            id,
            epoch: 3,
            wallet: "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU".parse().unwrap(),
            amount: BaseUnits(420_000),
            fee: BaseUnits(750),
            stage,
            signature: Some(TransactionSignature([9; 64])),
            at: UnixMillis(1_800_000_100_000),
        }
    }

    fn statement(tasks: Vec<StatedTask>, payouts: Vec<Payout>) -> Statement {
        Statement { tasks, payouts, present_micro_per_kwh: 300_000, utc_offset_minutes: 90 }
    }

    fn read(csv: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn every_row_and_the_sums_are_there() {
        let tasks = vec![task(4, 1_000, Some(12_000)), task(5, 1_000, Some(1_000))];
        let payouts = vec![payout(2, PayoutStage::Confirmed), payout(3, PayoutStage::Sent)];
        let csv = statement(tasks, payouts).to_csv().unwrap();
        let text = String::from_utf8(csv.clone()).unwrap();
        assert!(text.lines().count() == text.matches("\r\n").count());
        let rows = read(&csv);
        let kinds: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(kinds, ["row", "task", "task", "payout", "fee", "total"]);
        assert_eq!(rows[1][2], "A picture, \"whole\"");
        assert_eq!(rows[1][4..6], ["2027-01-15T09:30:00+01:30", "2027-01-15T09:31:00+01:30"]);
        // 12 Wh at 0.30 dollars a kilowatt-hour cost more than the task earned.
        assert_eq!(
            rows[1][6..13],
            ["59.500", "0.001000", "12.000", "0.300000", "0.003600", "-0.002600", "4"]
        );
        assert_eq!(rows[3][13..16], ["2", "0.420000", ""]);
        assert_eq!(rows[4][13..16], ["2", "", "0.000750"]);
        assert_eq!(
            rows[5][7..16],
            ["0.002000", "13.000", "", "0.003900", "-0.001900", "4 to 5", "", "0.420000", "0.000750"]
        );
    }

    #[test]
    fn each_task_has_the_price_of_when_it_ran() {
        let at = |nonce, micro_per_kwh| StatedTask { micro_per_kwh, ..task(nonce, 1_000, Some(10_000)) };
        let tasks = vec![at(4, Some(120_000)), at(5, Some(-50_000)), at(6, None)];
        let rows = read(&statement(tasks, vec![]).to_csv().unwrap());
        assert_eq!((rows[0][9].as_str(), rows[0][17].as_str()), ("tariff_usd_per_kwh", "tariff_basis"));
        let priced: Vec<_> = rows[1..4].iter().map(|row| [&row[9], &row[10], &row[11], &row[17]]).collect();
        assert_eq!(
            priced,
            [
                ["0.120000", "0.001200", "-0.000200", "when it ran"],
                // Who is paid for taking power earns more than the task brought.
                ["-0.050000", "-0.000500", "0.001500", "when it ran"],
                ["0.300000", "0.003000", "-0.002000", "present"],
            ]
        );
        assert_eq!(rows[4][10..12], ["0.003700", "-0.000700"]);
    }

    #[test]
    fn what_was_not_measured_is_not_zero() {
        let rows =
            read(&statement(vec![task(4, 1_000, Some(1)), task(5, 1_000, None)], vec![]).to_csv().unwrap());
        assert_eq!(rows[2][8..12], ["", "0.300000", "", ""]);
        assert_eq!(
            (rows[3][7].as_str(), rows[3][8].as_str(), rows[3][11].as_str()),
            ("0.002000", "0.001", "")
        );
    }

    #[test]
    fn a_task_that_is_missing_or_made_up_is_noticed() {
        let missing = statement(vec![task(4, 1_000, None), task(6, 1_000, None)], vec![]);
        assert!(matches!(missing.to_csv(), Err(StatementError::DoesNotAddUp { .. })));
        let dearer = statement(vec![task(4, 1_000, None), task(5, 1_001, None)], vec![]);
        assert!(matches!(dearer.to_csv(), Err(StatementError::DoesNotAddUp { .. })));
    }

    #[test]
    fn no_title_is_a_formula() {
        for (title, written) in [
            ("=1+1", "'=1+1"),
            (" =1+1", "' =1+1"),
            ("\t=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("a\r\n=1", "a=1"),
            ("A picture", "A picture"),
        ] {
            let mut stated = task(4, 1_000, None);
            stated.job = Some((title.into(), "=kind".into()));
            let rows = read(&statement(vec![stated], vec![]).to_csv().unwrap());
            assert_eq!((rows[1][2].as_str(), rows[1][3].as_str()), (written, "'=kind"), "{title:?}");
        }
    }

    #[test]
    fn an_empty_time_has_sums_of_nothing() {
        let rows = read(&statement(vec![], vec![]).to_csv().unwrap());
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1][7].as_str(), rows[1][14].as_str()), ("0.000000", "0.000000"));
    }
}

//! What `planb top` shows, as lines of a given width: what runs, what waits, what is wrong, what comes next.

use super::table::plain;
use crate::fileset::progress::Progress;
use crate::fileset::quantity::{Size, Span, counted};
use crate::run::live::{Live, Phase};
use crate::status::sum::Sum;
use crate::status::{Problem, Status, StorageStatus, seconds, storages};
use std::fmt::Write;
use time::OffsetDateTime;
use time::macros::format_description;
use unicode_width::UnicodeWidthChar;

/// One line of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub is_title: bool,
}

/// All that the screen is made of.
#[derive(Debug)]
pub struct View<'a> {
    pub all: &'a [Status],
    pub storages: &'a [StorageStatus],
    pub live: &'a [Live],
    pub slots: u16,
    pub now: OffsetDateTime,
    /// `now` on the clocks of this machine.
    pub clock: OffsetDateTime,
}

/// How many lines each section gets before the others get more.
const FAIR: usize = 3;
const NAME: usize = 21;

/// The lines, of at most `width` columns; with a height, at most so many, and what is left out is counted.
pub fn lines(view: &View<'_>, width: usize, height: Option<usize>) -> Vec<Line> {
    let sections: Vec<(String, Vec<String>)> = [running(view), queued(view), troubles(view), next(view)]
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let mut lines = vec![Line { text: head(view, width), is_title: true }];
    // A title and a blank line for each.
    let room = height.map(|height| height.saturating_sub(1 + 2 * sections.len()));
    let shares = shares(&sections.iter().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), room);
    for ((title, rows), share) in sections.into_iter().zip(shares) {
        lines.push(Line { text: String::new(), is_title: false });
        lines.push(Line { text: title, is_title: true });
        let whole = rows.len() <= share;
        let shown = if whole { share } else { share.saturating_sub(1) };
        let left = rows.len() - shown.min(rows.len());
        lines.extend(rows.into_iter().take(shown).map(|text| Line { text, is_title: false }));
        if !whole && share > 0 {
            lines.push(Line { text: format!("  and {left} more"), is_title: false });
        }
    }
    for line in &mut lines {
        line.text = cut(&line.text, width);
    }
    lines.truncate(height.unwrap_or(usize::MAX));
    lines
}

/// How many rows each section gets: a few for everybody first, then what is left to those in front.
fn shares(wanted: &[usize], room: Option<usize>) -> Vec<usize> {
    let Some(mut room) = room else { return wanted.to_vec() };
    let mut shares = vec![0; wanted.len()];
    for most in [FAIR, usize::MAX] {
        for (share, wanted) in shares.iter_mut().zip(wanted) {
            let more = (*wanted.min(&most)).saturating_sub(*share).min(room);
            *share += more;
            room -= more;
        }
    }
    shares
}

fn head(view: &View<'_>, width: usize) -> String {
    let sum = Sum::of(view.all, view.now);
    let mut text = counted(sum.filesets as u64, "fileset");
    for (count, what) in [
        (sum.disabled, "disabled"),
        (sum.failed, "failing"),
        (sum.overdue, "overdue"),
        (sum.invalid, "invalid"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let clock = view.clock.format(format_description!("[hour]:[minute]:[second]")).unwrap_or_default();
    let gap = width.saturating_sub(text.len() + clock.len());
    format!("{text}{}{clock}", " ".repeat(gap.clamp(2, 200)))
}

fn running(view: &View<'_>) -> (String, Vec<String>) {
    let runs: Vec<&Live> = view.live.iter().filter(|live| live.phase != Phase::Queued).collect();
    let title = format!(
        "{:NAME$} {:>7} {:<19} {:>10} {:>11} {:>7}",
        format!("RUNNING {} of {}", runs.len(), view.slots),
        "FOR",
        "DONE",
        "SO FAR",
        "RATE",
        "LEFT"
    );
    let row = |live: &&Live| {
        let progress = live.progress.unwrap_or_default();
        let (done, left) = (done(live), left(live, &progress, view.now));
        let (bytes, rate) = (Size::from_bytes(progress.bytes), Size::from_bytes(progress.rate));
        let rate = if live.phase == Phase::Transferring { format!("{rate}/s") } else { String::new() };
        let name = cut(live.fileset.as_str(), NAME);
        let so_far = Span::from_secs(seconds(view.now - live.started)).to_string();
        format!("{name:NAME$} {so_far:>7} {done:<19} {:>10} {rate:>11} {left:>7}", bytes.to_string())
    };
    (title, runs.iter().map(row).collect())
}

/// `[=====      ]  45%`
fn done(live: &Live) -> String {
    const STEPS: usize = 11;
    match (live.phase, live.progress.and_then(|progress| progress.fraction)) {
        (Phase::Finishing, _) => "making the snapshot".into(),
        (_, None) => "listing the source".into(),
        (_, Some(share)) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a few steps"
            )]
            let filled = (share.clamp(0.0, 1.0) * STEPS as f64) as usize;
            format!("[{}{}] {:>3.0}%", "=".repeat(filled), " ".repeat(STEPS - filled), share * 100.0)
        }
    }
}

fn left(live: &Live, progress: &Progress, now: OffsetDateTime) -> String {
    let so_far = seconds(now - live.started);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "whole seconds, never below none"
    )]
    let by_share = progress
        .fraction
        .filter(|share| *share > 0.01)
        .map(|share| (so_far as f64 * (1.0 / share - 1.0)) as u64);
    let left = progress.eta_s.or(by_share).filter(|_| live.phase == Phase::Transferring);
    left.map(|secs| Span::from_secs(secs).to_string()).unwrap_or_default()
}

fn queued(view: &View<'_>) -> (String, Vec<String>) {
    let runs = view.live.iter().filter(|live| live.phase == Phase::Queued);
    let row = |live: &Live| {
        let name = cut(live.fileset.as_str(), NAME);
        format!("{name:NAME$} {:>7}", Span::from_secs(seconds(view.now - live.started)).to_string())
    };
    (format!("{:NAME$} {:>7}", "WAITING FOR A SLOT", "FOR"), runs.map(row).collect())
}

fn troubles(view: &View<'_>) -> (String, Vec<String>) {
    let of_storages = view.storages.iter().filter_map(|storage| {
        let worst = storage.problems.first()?;
        Some((format!("storage {}", storage.name), worst))
    });
    let of_filesets = view.all.iter().filter_map(|status| {
        let own = status.problems.iter().find(|problem| !storages::have_told(view.storages, problem))?;
        Some((plain(&status.entry.name), own))
    });
    let mut found: Vec<(String, &Problem)> = of_storages.chain(of_filesets).collect();
    found.sort_by_key(|(_, worst)| std::cmp::Reverse(worst.level));
    let row = |(about, worst): &(String, &Problem)| {
        let what = plain(worst.what.lines().next().unwrap_or_default());
        format!("{:NAME$} {:<8} {what}", cut(about, NAME), worst.level.as_str())
    };
    (format!("{:NAME$} {:<8} WHAT", "TO LOOK AT", "LEVEL"), found.iter().map(row).collect())
}

fn next(view: &View<'_>) -> (String, Vec<String>) {
    let mut coming: Vec<(OffsetDateTime, &Status)> =
        view.all.iter().filter_map(|status| status.entry.next_run.map(|at| (at, status))).collect();
    coming.sort_by_key(|(at, _)| *at);
    let row = |(at, status): &(OffsetDateTime, &Status)| {
        let in_ = Span::from_secs(seconds(*at - view.now)).to_string();
        let entry = &status.entry;
        let takes =
            entry.average_duration_s.map(|secs| Span::from_secs(secs).to_string()).unwrap_or_default();
        let size = entry.size_bytes.map(|bytes| Size::from_bytes(bytes).to_string()).unwrap_or_default();
        format!("{:NAME$} {in_:>7} {takes:>10} {size:>10}", cut(&entry.name, NAME))
    };
    (format!("{:NAME$} {:>7} {:>10} {:>10}", "NEXT", "IN", "TAKES", "SIZE"), coming.iter().map(row).collect())
}

/// The text, cut to so many columns.
fn cut(text: &str, width: usize) -> String {
    let mut columns = 0;
    let fits = |c: &char| {
        columns += c.width().unwrap_or(0);
        columns <= width
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fileset::record::Trigger;
    use crate::status::{Entry, Level, State};
    use std::time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04 UTC);

    fn status(number: usize) -> Status {
        let entry = Entry {
            next_run: Some(NOW + Duration::from_secs(60 * number as u64)),
            size_bytes: Some(number as u64 * 100_000_000_000),
            ..Entry::bare(format!("fileset-{number}"), State::Idle)
        };
        let what = "it fails since yesterday: \u{1b}[2J ".to_owned() + &"much more ".repeat(20);
        let problems =
            if number.is_multiple_of(2) { vec![Problem::new(Level::Warning, what)] } else { Vec::new() };
        Status { entry, run: None, longest: Duration::ZERO, due: None, problems }
    }

    fn live(number: usize, phase: Phase) -> Live {
        let progress =
            Progress { bytes: 3 << 30, fraction: Some(0.45), rate: 10 << 20, ..Progress::default() };
        Live {
            id: "0".repeat(32),
            fileset: format!("fileset-{number}").parse().expect("a name"),
            trigger: Trigger::Timer,
            started: NOW - Duration::from_secs(100),
            process: None,
            phase,
            progress: Some(progress),
        }
    }

    #[test]
    fn everything_has_its_place_on_a_small_screen_and_nothing_leaves_it() {
        let all: Vec<Status> = (0..100).map(status).collect();
        let mut runs: Vec<Live> = (0..9).map(|number| live(number, Phase::Transferring)).collect();
        runs.extend((9..40).map(|number| live(number, Phase::Queued)));
        let storages = [StorageStatus {
            name: "a-storage-with-a-long-name".parse().expect("a name"),
            kind: "zfs",
            space: None,
            least_free: None,
            problems: vec![Problem::new(Level::Critical, "the pool is SUSPENDED\u{1b}[2J, ".repeat(9))],
        }];
        let view = View { all: &all, storages: &storages, live: &runs, slots: 10, now: NOW, clock: NOW };
        for (width, height) in [(80, 24), (40, 10), (200, 60), (10, 3), (1, 1)] {
            let lines = lines(&view, width, Some(height));
            assert!(lines.len() <= height, "{lines:#?}");
            for line in &lines {
                assert!(line.text.chars().count() <= width && !line.text.contains('\u{1b}'), "{line:?}");
            }
        }
        let shown = lines(&view, 80, Some(24));
        let titles: Vec<&str> = shown
            .iter()
            .filter(|line| line.is_title)
            .map(|line| line.text.split("  ").next().unwrap_or(""))
            .collect();
        assert_eq!(titles, ["100 filesets", "RUNNING 9 of 10", "WAITING FOR A SLOT", "TO LOOK AT", "NEXT"]);
        assert_eq!(shown.len(), 24, "{shown:#?}");
        // The worst comes first, whatever it is about.
        let worst = "storage a-storage-wit critical the pool is SUSPENDED";
        assert!(shown.iter().any(|line| line.text.starts_with(worst)), "{shown:#?}");
        assert!(shown.iter().any(|line| line.text == "  and 29 more"), "{shown:#?}");
        assert!(
            shown[3].text.starts_with(
                "fileset-0              1m 40s [====       ]  45%     3.0 GiB  10.0 MiB/s   2m 2s"
            ),
            "{:?}",
            shown[3]
        );
    }

    #[test]
    fn without_a_height_all_of_it_is_there() {
        let all: Vec<Status> = (0..100).map(status).collect();
        let view = View { all: &all, storages: &[], live: &[], slots: 10, now: NOW, clock: NOW };
        let shown = lines(&view, 80, None);
        assert_eq!(shown.len(), 1 + 2 + 50 + 2 + 100, "{shown:#?}");
    }
}

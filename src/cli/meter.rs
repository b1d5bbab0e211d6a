//! A progress bar on a terminal; nothing elsewhere, where one line a run is said at its end.

use super::log::bars;
use crate::fileset::name::Name;
use crate::fileset::progress::Progress;
use crate::fileset::quantity::{Size, Span};
use crate::run::Event;
use crate::run::live::{Live, Phase};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Steps of the bar: progress is a share, not a count.
const STEPS: u64 = 1000;

const QUEUED: &str = "waiting for a slot";
const LISTING: &str = "listing the source";
const FINISHING: &str = "making the snapshot";

/// The progress of one run, on stderr.
pub struct Meter(Option<(ProgressBar, Instant)>);

impl Meter {
    pub fn new(name: &Name) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = bars().add(ProgressBar::new(STEPS));
        // The template is a constant; were it wrong, the bar would look plain.
        if let Ok(style) = ProgressStyle::with_template("{prefix:<20!} {bar:30} {percent:>3}%  {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_string());
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(Some((bar, Instant::now())))
    }

    pub fn show(&self, event: &Event<'_>) {
        let Some((bar, began)) = &self.0 else { return };
        match event {
            Event::Queued { .. } => bar.set_message(QUEUED),
            Event::Transferring { .. } => bar.set_message(LISTING),
            Event::Progress(progress) => {
                if let Some(fraction) = progress.fraction {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        clippy::cast_precision_loss,
                        reason = "a share of a thousand steps"
                    )]
                    bar.set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
                }
                bar.set_message(words(progress, began.elapsed()));
            }
            Event::Finishing | Event::NextMinute { .. } => bar.set_message(FINISHING),
        }
    }

    /// Shows what a run in another process says of itself.
    pub fn show_live(&self, live: &Live) {
        let Some((bar, _)) = &self.0 else { return };
        match (live.phase, &live.progress) {
            (Phase::Queued, _) => bar.set_message(QUEUED),
            (Phase::Transferring, None) => bar.set_message(LISTING),
            (Phase::Transferring, Some(progress)) => self.show(&Event::Progress(progress)),
            (Phase::Finishing, _) => bar.set_message(FINISHING),
        }
    }

    /// Takes the bar away, of a run that goes on.
    pub fn hide(&self) {
        if let Some((bar, _)) = &self.0 {
            bar.finish_and_clear();
        }
    }

    /// Takes the bar away: what became of the run is said in words.
    pub fn finish(self) {
        if let Some((bar, _)) = self.0 {
            bar.finish_and_clear();
        }
    }
}

fn words(progress: &Progress, so_far: Duration) -> String {
    let (bytes, rate) = (Size::from_bytes(progress.bytes), Size::from_bytes(progress.rate));
    // A transfer that is measured in files has no rate to go by: what is left takes as long as what is done took.
    let by_share = progress
        .fraction
        .filter(|share| *share > 0.01)
        .map(|share| so_far.as_secs_f64() * (1.0 / share - 1.0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole seconds, never below none"
    )]
    let left = progress.eta_s.or(by_share.map(|secs| secs as u64));
    let left = left.map(|secs| format!(", {} left", Span::from_secs(secs))).unwrap_or_default();
    format!("{bytes}, {rate}/s{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_in_words() {
        let so_far = Duration::from_secs(60);
        let mut progress = Progress { bytes: 3 << 30, rate: 10 << 20, ..Progress::default() };
        assert_eq!(words(&progress, so_far), "3.0 GiB, 10.0 MiB/s");
        progress.fraction = Some(0.25);
        assert_eq!(words(&progress, so_far), "3.0 GiB, 10.0 MiB/s, 3m left");
        progress.eta_s = Some(130);
        assert_eq!(words(&progress, so_far), "3.0 GiB, 10.0 MiB/s, 2m 10s left");
    }
}

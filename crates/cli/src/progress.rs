//! A progress bar on stderr.

use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

/// A bar if the total is known, else a counter. Hidden if stderr is not a terminal.
pub(crate) fn bar(total: Option<u64>, what: &str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => {
            (ProgressBar::new(total), format!("{{wide_bar}} {{human_pos}}/{{human_len}} {what}, {{rate}}, {{left}}"))
        }
        None => (ProgressBar::new_spinner(), format!("{{spinner}} {{human_pos}} {what}, {{rate}}")),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        let style = style.with_key("left", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // Without a rate, the time left is unknown.
            let _ = match state.per_sec() {
                rate if rate > 0.0 || state.is_finished() => write!(text, "{:#} left", HumanDuration(state.eta())),
                _ => write!(text, "? left"),
            };
        });
        bar.set_style(style.with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{:.0}/s", state.per_sec());
        }));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// Records what is written to a terminal.
    #[derive(Clone, Debug, Default)]
    struct Written(Arc<Mutex<String>>);

    impl TermLike for Written {
        fn width(&self) -> u16 {
            60
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(bar: &ProgressBar, position: u64) -> String {
        let written = Written::default();
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(written.clone())));
        bar.set_position(position);
        bar.force_draw();
        written.0.lock().unwrap().clone()
    }

    #[test]
    fn a_bar_shows_position_and_total() {
        let shown = shown(&bar(Some(2000), "items"), 1000);
        assert!(shown.contains("█░") && shown.contains(" 1,000/2,000 items, ") && shown.contains(" left"), "{shown:?}");
        let rate = shown.rsplit_once("/s, ").unwrap().0.rsplit_once(' ').unwrap().1;
        assert!(!rate.is_empty() && rate.bytes().all(|it| it.is_ascii_digit()), "{shown:?}");
    }

    #[test]
    fn before_the_first_item_the_time_left_is_unknown() {
        let shown = shown(&bar(Some(2000), "items"), 0);
        assert!(shown.contains(" 0/2,000 items, 0/s, ? left"), "{shown:?}");
    }

    #[test]
    fn without_a_total_the_count_is_shown() {
        let shown = shown(&bar(None, "events"), 7);
        assert!(shown.contains(" 7 events, ") && !shown.contains(" left"), "{shown:?}");
    }
}

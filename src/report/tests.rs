//! Realistic runs with every reporter, compared with `snapshots/`.

use crate::cli::OutputMode;
use crate::terminal::Look;
use crate::terminal::resolve;
use clap::ValueEnum;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use super::runs::{self, Step};
use indicatif::{InMemoryTerm, TermLike};

use super::*;
use crate::event::{Event, Outcome, Unit};

/// A stream that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("reporters write UTF-8")
    }
}

/// A terminal in memory, as a stream.
struct Screen(InMemoryTerm);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).expect("reporters write UTF-8");
        // A terminal driver converts line ends like this.
        self.0.write_str(&text.replace('\n', "\r\n")).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Streams whose stderr is this terminal, with this reported size.
fn on(terminal: &InMemoryTerm, stdout: Kept, size: impl Fn() -> (u16, u16) + 'static) -> Sinks {
    Sinks {
        stdout: Box::new(stdout),
        stderr: Box::new(Screen(terminal.clone())),
        list: ProgressDrawTarget::term_like(Box::new(terminal.clone())),
        size: Box::new(size),
    }
}

const UTF8: Look = Look { color: false, unicode: true };

fn mode(drawing: Drawing, look: Look) -> Mode {
    Mode { drawing, stdout: look, stderr: look }
}

/// Time between ticks: more than [`TICK`], to speed up the tests.
const STEP: Duration = Duration::from_millis(500);

/// Feed a run, with ticks between its events, up to `until`.
fn feed(reporter: &mut dyn Reporter, steps: &[Step], until: Duration) {
    let mut now = Duration::ZERO;
    for line in runs::lines(steps) {
        let at = Duration::from_millis(line.elapsed_ms);
        while now + STEP <= at.min(until) {
            now += STEP;
            reporter.tick(now);
        }
        if at > until {
            return;
        }
        now = at;
        reporter.event(&line);
    }
    reporter.finish();
}

/// What a run writes to (stdout, stderr) without a terminal.
fn streams(drawing: Drawing, look: Look, verbosity: Verbosity, steps: &[Step]) -> (String, String) {
    let (out, err) = (Kept::default(), Kept::default());
    let sinks = Sinks {
        stdout: Box::new(out.clone()),
        stderr: Box::new(err.clone()),
        list: ProgressDrawTarget::hidden(),
        size: Box::new(|| (80, 24)),
    };
    feed(reporter(mode(drawing, look), verbosity, sinks).as_mut(), steps, Duration::MAX);
    (out.text(), err.text())
}

fn plain(steps: &[Step], verbosity: Verbosity) -> String {
    let (out, err) = streams(Drawing::Plain, UTF8, verbosity, steps);
    assert_eq!(out, "", "plain lines are on stderr");
    assert!(err.lines().all(|line| !line.ends_with(' ')), "{err}");
    err
}

/// What a run writes to a terminal of this size, including its scrollback.
fn screen(steps: &[Step], look: Look, columns: u16, rows: u16, until: Duration) -> String {
    terminal(steps, look, columns, rows, until).0.contents()
}

/// The terminal, and the reporter that writes to it.
fn terminal(
    steps: &[Step],
    look: Look,
    columns: u16,
    rows: u16,
    until: Duration,
) -> (InMemoryTerm, Box<dyn Reporter>) {
    // Higher than the terminal that the reporter knows, to include what was scrolled away.
    let terminal = InMemoryTerm::new(120, columns);
    let out = Kept::default();
    let sinks = on(&terminal, out.clone(), move || (columns, rows));
    let mut reporter = reporter(mode(Drawing::Tty, look), Verbosity::default(), sinks);
    feed(reporter.as_mut(), steps, until);
    assert_eq!(out.text(), "", "the list is on stderr");
    (terminal, reporter)
}

/// A moment in the middle of a run.
fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const END: Duration = Duration::MAX;

#[test]
fn output_after_the_end_of_a_task_does_not_reopen_it() {
    let mut up = runs::up();
    let over = |(_, event): &Step| matches!(event, Event::TaskFinished { task, .. } if task == "cluster");
    let at = up.iter().position(over).expect("the cluster's end");
    let (task, message) = ("cluster".to_owned(), "Enabled addons: storage-provisioner".to_owned());
    let late =
        Event::TaskProgress { task, message, done: Some(18), total: Some(19), unit: Some(Unit::Items) };
    up.insert(at + 1, (up[at].0, late));
    let text = plain(&up, Verbosity::default());
    assert!(text.contains("cluster    Enabled addons"), "{text}");
    let (_, times) = text.rsplit_once("\n\n  Preflight").expect("the table of times");
    assert!(times.contains("minikube cluster"), "{text}");
}

#[test]
fn a_first_run_live() {
    let up = runs::up();
    insta::assert_snapshot!("up_80_at_8s", screen(&up, UTF8, 80, 24, at(8)));
    insta::assert_snapshot!("up_80_at_62s", screen(&up, UTF8, 80, 24, at(62)));
    insta::assert_snapshot!("up_40_at_62s", screen(&up, UTF8, 40, 24, at(62)));
    insta::assert_snapshot!("up_ascii_at_8s", screen(&up, Look::ASCII, 80, 24, at(8)));
}

#[test]
fn a_first_run_after_its_end() {
    let up = runs::up();
    insta::assert_snapshot!("up_80", screen(&up, UTF8, 80, 24, END));
    insta::assert_snapshot!("up_40", screen(&up, UTF8, 40, 24, END));
    insta::assert_snapshot!("up_ascii", screen(&up, Look::ASCII, 80, 24, END));
    insta::assert_snapshot!("up_plain", plain(&up, Verbosity::default()));
    let (out, err) = streams(Drawing::Json, UTF8, Verbosity::default(), &up);
    assert_eq!(err, "");
    insta::assert_snapshot!("up_json", out);
}

#[test]
fn other_runs_on_a_terminal() {
    let runs = [
        ("again", runs::up_again()),
        ("image", runs::image_failure()),
        ("interrupted", runs::interrupted()),
        ("smoke", runs::smoke_test()),
        ("down", runs::down()),
    ];
    for (name, steps) in runs {
        insta::assert_snapshot!(format!("{name}_80"), screen(&steps, UTF8, 80, 24, END));
        insta::assert_snapshot!(format!("{name}_40"), screen(&steps, UTF8, 40, 24, END));
        insta::assert_snapshot!(format!("{name}_plain"), plain(&steps, Verbosity::default()));
        let (out, _) = streams(Drawing::Json, UTF8, Verbosity::default(), &steps);
        insta::assert_snapshot!(format!("{name}_json"), out);
    }
}

#[test]
fn verbose_prints_commands_and_quiet_only_problems() {
    let verbose = Verbosity { verbose: true, ..Verbosity::default() };
    let quiet = Verbosity { quiet: true, ..Verbosity::default() };
    let command = "+ kubectl --kubeconfig";
    assert!(plain(&runs::up(), verbose).contains(command));
    assert!(!plain(&runs::up(), Verbosity::default()).contains(command));
    let (out, _) = streams(Drawing::Json, UTF8, verbose, &runs::up());
    assert!(out.contains(r#""type":"command""#));

    for drawing in [Drawing::Plain, Drawing::Tty] {
        let (_, err) = streams(drawing, UTF8, quiet, &runs::up());
        assert!(err.starts_with("warning: cluster: ") && err.lines().count() == 1, "{err}");
    }
    assert_eq!(plain(&runs::up_again(), quiet), "");
    let failed = plain(&runs::image_failure(), quiet);
    assert!(failed.starts_with("warning: ") && failed.contains("\nerror: "), "{failed}");
    let (out, _) = streams(Drawing::Json, UTF8, quiet, &runs::up_again());
    assert!(out.contains("run_finished"), "data stays");
}

#[test]
fn colours_do_not_change_the_text() {
    let colour = Look { color: true, unicode: true };
    for steps in [runs::up(), runs::image_failure(), runs::interrupted()] {
        let (_, bare) = streams(Drawing::Plain, UTF8, Verbosity::default(), &steps);
        let (_, painted) = streams(Drawing::Plain, colour, Verbosity::default(), &steps);
        assert!(!bare.contains('\u{1b}') && painted.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), bare);
        assert_eq!(screen(&steps, colour, 80, 24, at(62)), screen(&steps, UTF8, 80, 24, at(62)));
        let written = |look| terminal(&steps, look, 80, 24, END).0.moves_since_last_check();
        assert!(!written(UTF8).contains("\\u{1b}") && written(colour).contains("\\u{1b}[3"));
    }
}

#[test]
fn the_ascii_drawing_is_ascii() {
    let steps: Vec<Step> = runs::up();
    assert!(screen(&steps, Look::ASCII, 80, 24, at(8)).is_ascii());
    assert!(screen(&steps, Look::ASCII, 33, 24, END).is_ascii());
}

/// The list, at every moment and in every size, is no wider and no higher than the terminal.
#[test]
fn the_live_list_fits_every_terminal() {
    for (columns, rows) in [(1, 1), (5, 2), (20, 5), (40, 8), (59, 12), (60, 6), (80, 24), (200, 50)] {
        let mut run = state::Run::default();
        for line in runs::lines(&runs::up()) {
            run.apply(&line);
            let live = rows::live(&run, UTF8, columns, rows);
            let lines: Vec<_> = live.into_iter().flat_map(|row| row.lines).collect();
            assert!(lines.len() <= rows, "{} rows in {columns}x{rows}", lines.len());
            for line in lines.into_iter().chain(rows::finished_lines(&run, UTF8, columns)) {
                assert!(line.width() <= columns.max(1), "{columns}x{rows}: {line:?}");
            }
        }
    }
}

#[test]
fn a_small_terminal_folds_done_and_pending_tasks() {
    insta::assert_snapshot!(screen(&runs::up(), UTF8, 80, 7, at(62)), @r#"
    kstrim up  profile kstrim, Strimzi 1.2.0
    warning: cluster: the container engine cannot reach registry.k8s.io; images come
      through docker.io, which is slower [KS-IMAGE-MIRROR]
     ✓ 4 done
     ⠏ Container images  pulling quay.io/strimzi/kafka:1.2.0-kafka…, 1 of 2    33 s
     ⠙ Strimzi operator  0 of 1 replicas available, 17 s                       31 s
     ⠏ Kafka my-cluster  broker my-cluster-dual-role-0: pulling image, 16 s    31 s
     · 3 more
       4 of 10 done                                                          1m 02s
    "#);
}

/// And how indicatif draws it: a line that wrapped would occupy two.
#[test]
fn the_drawn_list_has_the_computed_height() {
    let steps: Vec<Step> =
        runs::up().into_iter().filter(|(_, e)| !matches!(e, Event::Warning { .. })).collect();
    for (columns, rows) in [(5, 4), (20, 5), (40, 8), (60, 6), (80, 24), (120, 40)] {
        let mut run = state::Run::default();
        for line in runs::lines(&steps) {
            if line.elapsed_ms <= 62_000 {
                run.apply(&line);
            }
        }
        run.now = at(62);
        let list = rows::live(&run, UTF8, columns, rows - 1);
        let lines: usize = list.iter().map(|row| row.lines.len()).sum();
        let heading = "kstrim up  profile kstrim, Strimzi 1.2.0".len().div_ceil(columns);
        let seen = screen(&steps, UTF8, columns as u16, rows as u16, at(62));
        assert_eq!(seen.lines().count(), heading + lines, "{columns}x{rows}:\n{seen}");
    }
}

/// A terminal that is made wider in the middle of a run contains the list once. One that is made narrower wraps it
/// again, see [`bars`].
#[test]
fn a_terminal_made_wider_has_one_list() {
    let width = Rc::new(RefCell::new(80));
    let size = {
        let width = width.clone();
        move || (*width.borrow(), 24)
    };
    let terminal = InMemoryTerm::new(60, 120);
    let mut reporter =
        reporter(mode(Drawing::Tty, UTF8), Verbosity::default(), on(&terminal, Kept::default(), size));
    for (i, line) in runs::lines(&runs::up()).iter().enumerate() {
        *width.borrow_mut() = 80 + u16::try_from(i).unwrap_or(40).min(40);
        reporter.event(line);
    }
    let seen = terminal.contents();
    assert_eq!(seen.matches("Smoke test").count(), 1, "{seen}");
}

/// A closed stream and terminal that count the attempts to write.
#[derive(Clone, Debug, Default)]
struct Closed(std::sync::Arc<std::sync::atomic::AtomicU32>);

impl Closed {
    fn fail<T>(&self) -> std::io::Result<T> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn tried(&self) -> u32 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        self.fail()
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

impl TermLike for Closed {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
        self.fail()
    }
    fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
        self.fail()
    }
    fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
        self.fail()
    }
    fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
        self.fail()
    }
    fn write_line(&self, _: &str) -> std::io::Result<()> {
        self.fail()
    }
    fn write_str(&self, _: &str) -> std::io::Result<()> {
        self.fail()
    }
    fn clear_line(&self) -> std::io::Result<()> {
        self.fail()
    }
    fn flush(&self) -> std::io::Result<()> {
        self.fail()
    }
}

#[test]
fn a_broken_stream_silences_the_reporter_without_an_error() {
    for drawing in [Drawing::Tty, Drawing::Plain, Drawing::Json] {
        let (stream, list) = (Closed::default(), Closed::default());
        let sinks = Sinks {
            stdout: Box::new(stream.clone()),
            stderr: Box::new(stream.clone()),
            list: ProgressDrawTarget::term_like(Box::new(list.clone())),
            size: Box::new(|| (80, 24)),
        };
        let mut reporter = reporter(mode(drawing, UTF8), Verbosity::default(), sinks);
        feed(reporter.as_mut(), &runs::up(), END);
        // And a run that is abandoned midway.
        feed(reporter.as_mut(), &runs::up(), at(62));
        drop(reporter);
        assert_eq!(stream.tried(), 1, "{drawing:?} gives up at the first error");
        assert_eq!(list.tried() > 0, drawing == Drawing::Tty, "indicatif tries, and drops the error");
    }
}

#[test]
fn without_a_terminal_lines_are_printed() {
    let verbosity = Verbosity::default();
    let (_, list) = streams(Drawing::Tty, UTF8, verbosity, &runs::up());
    assert_eq!(list, plain(&runs::up(), verbosity));
}

#[test]
fn foreign_text_cannot_move_the_cursor_or_add_lines() {
    let evil = "\u{1b}[2J\u{1b}[31mwaits\r\n::error::x\u{7}";
    let steps = runs::one_task(evil);
    let text = plain(&steps, Verbosity::default());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\r'));
    assert!(text.lines().all(|line| !line.starts_with("::")), "{text}");
    let seen = screen(&steps, UTF8, 80, 24, at(1));
    assert!(seen.contains("waits ::error::x"), "{seen}");
}

#[test]
fn a_heartbeat_at_most_every_fifteen_seconds() {
    let text = plain(&runs::silence(at(61)), Verbosity::default());
    insta::assert_snapshot!(text, @r#"
    2026-11-22T21:09:10Z  kstrim     up: profile kstrim, Strimzi 1.2.0
    2026-11-22T21:09:11Z  kafka      started: broker my-cluster-dual-role-0: pulling image
    2026-11-22T21:09:26Z  kafka      still waiting: broker my-cluster-dual-role-0: pulling image, 15 s
    2026-11-22T21:09:40Z  cluster    started: downloading the base image
    2026-11-22T21:09:55Z  kstrim     still waiting: cluster: downloading the base image, 45.0 of 503 MB, 15 s; kafka: broker my-cluster-dual-role-0: pulling image, 44 s
    2026-11-22T21:10:10Z  kstrim     still waiting: cluster: downloading the base image, 60.0 of 503 MB, 30 s; kafka: broker my-cluster-dual-role-0: pulling image, 59 s
    2026-11-22T21:10:11Z  kafka      done in 1m 00s
    "#);
}

fn env<'a>(vars: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
}

#[test]
fn the_output_mode_depends_on_flag_streams_and_environment() {
    use Drawing::{Json, Plain, Tty};
    type Vars = &'static [(&'static str, &'static str)];
    let cases: [(OutputMode, bool, Vars, Drawing); 8] = [
        (OutputMode::Auto, true, &[], Tty),
        (OutputMode::Auto, false, &[], Plain),
        (OutputMode::Auto, true, &[("CI", "true")], Plain),
        (OutputMode::Auto, true, &[("CI", "false")], Tty),
        (OutputMode::Auto, true, &[("TERM", "dumb")], Plain),
        (OutputMode::Tty, false, &[("CI", "1")], Tty),
        (OutputMode::Plain, true, &[], Plain),
        (OutputMode::Json, true, &[], Json),
    ];
    for (asked, tty, vars, drawing) in cases {
        assert_eq!(resolve(asked, false, tty, &env(vars)).drawing, drawing, "{asked:?} {tty} {vars:?}");
    }
    for mode in OutputMode::value_variants() {
        let name = mode.to_possible_value().expect("a name");
        assert_eq!(OutputMode::from_str(name.get_name(), false), Ok(*mode));
    }
    assert!(OutputMode::from_str("TTY", false).is_err());
}

#[test]
fn colours_and_symbols_follow_the_conventions() {
    type Vars = &'static [(&'static str, &'static str)];
    let cases: [(bool, Vars, bool); 9] = [
        (true, &[], true),
        (false, &[], false),
        (true, &[("NO_COLOR", "1")], false),
        (true, &[("NO_COLOR", "")], true),
        (false, &[("FORCE_COLOR", "1")], true),
        (false, &[("CLICOLOR_FORCE", "0")], false),
        (true, &[("CLICOLOR", "0")], false),
        (true, &[("TERM", "dumb")], false),
        (true, &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], false),
    ];
    for (tty, vars, color) in cases {
        let mode = resolve(OutputMode::Auto, false, tty, &env(vars));
        assert_eq!(mode.stderr.color, color, "{tty} {vars:?}");
    }
    // Each stream independently: `kstrim status | less` on a terminal.
    let mode = resolve(OutputMode::Auto, false, true, &env(&[]));
    assert!(mode.stderr.color && !mode.stdout.color);

    let glyphs: [(Vars, bool); 5] = [
        (&[("LANG", "en_US.UTF-8")], true),
        (&[("LANG", "C.utf8")], true),
        (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false),
        (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], true),
        (&[("LANG", "en_US.UTF-8"), ("TERM", "linux")], false),
    ];
    for (vars, unicode) in glyphs {
        assert_eq!(resolve(OutputMode::Auto, true, true, &env(vars)).stderr.unicode, unicode, "{vars:?}");
    }
}

#[test]
fn an_existing_kafka_cluster_is_not_reported_as_newly_usable() {
    let mut up = runs::up();
    for (_, event) in &mut up {
        if let Event::TaskFinished { task, outcome, .. } = event
            && task == "kafka"
        {
            *outcome = Outcome::AlreadyDone;
        }
    }
    let text = plain(&up, Verbosity::default());
    assert!(text.contains("verified on topic") && !text.contains("first message verified"), "{text}");
}

//! `kstrim doctor`

use crate::terminal;
use std::process::ExitCode;
use std::rc::Rc;

use super::consent;
use super::status::{runner, stopped};
use crate::checks::{Ground, Host};
use crate::cli::{self, Format, Global};
use crate::cluster::journal::JournalFile;
use crate::config::Settings;
use crate::doctor::data::{Doctor, Fix, FixOutcome};
use crate::doctor::fix::Planned;
use crate::doctor::live::MORE;
use crate::doctor::{self, draw};
use crate::engine::lock::Lock;
use crate::event::FailureInfo;
use crate::exec::Runner;
use crate::exec::cancel::Cancel;
use crate::failure::Result;
use crate::paths::{ProfilePaths, state_dir};
use crate::status::look::Looker;

/// Check this machine and the cluster. Reads only, unless `--fix` is specified.
///
/// # Errors
/// What is wrong with the command line. Other problems are results of the checks.
pub(crate) async fn run(global: &Global, args: &cli::Doctor) -> Result<ExitCode> {
    let settings = Settings::new(global, &args.what)?;
    let verb = Verb {
        settings,
        runner: Rc::new(runner(Cancel::default(), global.verbose)),
        args,
        verbose: global.verbose,
    };
    tokio::select! {
        code = verb.run() => code.map(ExitCode::from),
        kind = stopped() => Ok(ExitCode::from(kind.exit_code())),
    }
}

struct Verb<'a> {
    settings: Settings,
    runner: Rc<dyn Runner>,
    args: &'a cli::Doctor,
    verbose: bool,
}

impl Verb<'_> {
    async fn run(&self) -> Result<u8> {
        let (first, planned) = self.examine().await;
        if !self.args.fix || planned.is_empty() {
            self.show(&first);
            return Ok(first.exit_code);
        }
        // The document has the final results; the text output also shows what led to the fixes.
        if self.args.output == Format::Text {
            super::print(&self.text(&first));
        }
        let fixes = self.fix(&planned).await?;
        let (mut last, _) = self.examine().await;
        last.fixes = fixes;
        self.show(&last);
        Ok(last.exit_code)
    }

    fn show(&self, doctor: &Doctor) {
        super::print(&match self.args.output {
            Format::Json => super::json(doctor),
            Format::Yaml => super::yaml(doctor),
            Format::Text => self.text(doctor),
        });
    }

    fn paths(&self) -> ProfilePaths {
        ProfilePaths::new(state_dir(), self.settings.target.profile.as_str())
    }

    async fn examine(&self) -> (Doctor, Vec<Planned>) {
        let (target, paths) = (&self.settings.target, self.paths());
        let journal = JournalFile::open(&paths.journal(), target.profile.as_str()).map(|file| file.state);
        let ground = Ground::new(self.settings.clone(), journal, self.runner.clone(), Host::this());
        let mut ground = ground.by_installed();
        ground.online = !self.settings.offline;
        ground.messages = self.args.smoke;
        let looker = match (&ground.minikube, &ground.kubectl) {
            // Problems with the remaining settings have checks of their own.
            (Ok(_), Ok(_)) => {
                Ok(Looker::lenient(target, &paths, self.runner.clone(), &mut Vec::new()).and(&MORE))
            }
            (Err(missing), _) | (_, Err(missing)) => Err(missing.clone()),
        };
        doctor::examine(&ground, &looker).await
    }

    /// Describe each fix, ask for consent if it changes the cluster, apply it, and report the result.
    async fn fix(&self, planned: &[Planned]) -> Result<Vec<Fix>> {
        for fix in planned {
            let note = if fix.changes_cluster { " (this changes the cluster)" } else { "" };
            print_to_stderr(&format!("fix {}: {}{note}", fix.check, fix.what));
        }
        let changes = planned.iter().any(|fix| fix.changes_cluster);
        let agreed = !changes
            || self.args.yes
            || consent::ask("Apply these fixes.", "nothing was changed", "").await.is_ok();
        if !agreed {
            print_to_stderr(
                "fixes that change the cluster are skipped: they need consent (--yes in a script)",
            );
        }
        let _lock =
            if agreed && changes { Some(Lock::take(&self.paths().lock(), "doctor --fix")?) } else { None };
        let mut done = Vec::new();
        for fix in planned {
            let (outcome, problem) = if fix.changes_cluster && !agreed {
                (FixOutcome::NotAgreed, None)
            } else {
                match fix.run().await {
                    Ok(()) => (FixOutcome::Done, None),
                    Err(failure) => (FixOutcome::Failed, Some(FailureInfo::new(&failure, None))),
                }
            };
            match (&outcome, &problem) {
                (FixOutcome::Done, _) => print_to_stderr(&format!("done: {}", fix.what)),
                (_, Some(problem)) => {
                    let why = problem.causes.first().map(|c| format!(": {c}")).unwrap_or_default();
                    print_to_stderr(&format!(
                        "failed: {}: {} [{}]{why}",
                        fix.what, problem.message, problem.id
                    ));
                }
                _ => {}
            }
            done.push(Fix {
                check: fix.check.to_owned(),
                what: fix.what.clone(),
                changes_cluster: fix.changes_cluster,
                outcome,
                problem,
            });
        }
        Ok(done)
    }

    fn text(&self, doctor: &Doctor) -> String {
        let again = self.settings.target.again();
        draw::text(doctor, super::stdout_look(), terminal::stdout_columns(), self.verbose, &again)
    }
}

/// Verbosity goes to stderr: stdout has the document.
fn print_to_stderr(line: &str) {
    super::complain(&format!("{line}\n"));
}

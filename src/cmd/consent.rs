//! Consent before something is deleted, or brokers restart: a prompt on a terminal, or `--yes`.

use std::io::{BufRead, IsTerminal};

use super::living::Living;
use crate::errors;
use crate::event;
use crate::failure::{Failure, Kind, Result};
use crate::terminal::output;

/// Whether there is a terminal to ask on.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && std::io::stdout().is_terminal()
}

/// Ask before the Kafka cluster's brokers restart. `what` describes the change, after the cluster's name: `gets
/// Cruise Control`; `task` reports it if `yes` was specified.
pub(crate) async fn to_restart(living: &Living, task: &str, what: &str, yes: bool) -> Result<()> {
    let cx = &living.cx;
    let restart = restarts(living).await?;
    if yes {
        let said = async {
            cx.emit.progress(format!("the Kafka cluster {} {what}: this {restart}", cx.cluster()), None)
        };
        event::in_task(task, said).await;
        return Ok(());
    }
    let question = format!("The Kafka cluster {} {what}: this {restart}.", cx.cluster());
    to(living, &question, "nothing was changed").await
}

/// What happens to the brokers: `restarts brokers 0, 1, 2`.
pub(crate) async fn restarts(living: &Living) -> Result<String> {
    Ok(format!("restarts {}", living.nodes().await?.describe_brokers()))
}

/// Ask `question`. `refused` says what happens without consent.
pub(crate) async fn to(living: &Living, question: &str, refused: &str) -> Result<()> {
    let again = living.cx.target.again().flag("--yes");
    ask(question, refused, &format!("to agree: {again}")).await
}

/// Ask the user. `question` is a sentence that says what will be done, `refused` says what happens without consent,
/// `hint` how a script can consent.
///
/// # Errors
/// [`errors::CONSENT`]: there is no terminal, or the answer is not yes.
pub(crate) async fn ask(question: &str, refused: &str, hint: &str) -> Result<()> {
    let refusal = |why: &str| {
        Box::new(
            Failure::new(errors::CONSENT, Kind::Usage, format!("{refused}: {why}")).hint(hint.to_owned()),
        )
    };
    if !can_ask() {
        // The log of a script has to show what needs consent.
        let refusal = refusal("there is no terminal to ask on, and --yes was not specified");
        return Err(Box::new(refusal.because(question)));
    }
    let gap = if question.contains('\n') { "\n" } else { " " };
    let _ = output::stderr().print_now(&format!("{question}{gap}Continue? [y/N] "));
    // In a separate thread, so that Ctrl-C works while the prompt is waiting.
    let reading = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        let _ = std::io::stdin().lock().read_line(&mut answer);
        answer
    });
    let answer = reading.await.unwrap_or_default();
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(refusal("you did not agree"))
    }
}

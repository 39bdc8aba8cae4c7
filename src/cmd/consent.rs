//! Asking before something is lost.

use std::io::{BufRead, IsTerminal};

use crate::failure::{Failure, Kind, Result};
use crate::report::output;

/// Data would be deleted and nobody agreed to it.
pub(crate) use crate::errors::CONSENT;

/// Whether there is a person to ask.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && std::io::stdout().is_terminal()
}

/// Whether there is a terminal to ask on.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && std::io::stdout().is_terminal()
}

/// Ask a person. `question` is a sentence that tells what will be done, `refused` what follows without an answer,
/// `hint` how a script says yes.
///
/// # Errors
/// [`CONSENT`]: there is no terminal, or the answer is not yes.
pub async fn ask(question: &str, refused: &str, hint: &str) -> Result<()> {
    let refusal = |why: &str| {
        Box::new(Failure::new(CONSENT, Kind::Usage, format!("{refused}: {why}")).hint(hint.to_owned()))
    };
    if !is_possible() {
        // A script's log has to show what it would have agreed to.
        let refusal = refusal("there is no terminal to ask on, and --yes was not given");
        return Err(Box::new(refusal.because(question)));
    }
    let gap = if question.contains('\n') { "\n" } else { " " };
    let _ = output::stderr().print_now(&format!("{question}{gap}Go on? [y/N] "));
    // On a thread of its own, so that Ctrl-C is heard while nobody has answered.
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

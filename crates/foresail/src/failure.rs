//! How the program ends: what is the user's to mend, what went wrong on the way, and what is no failure at all.

use std::process::ExitCode;

use crate::output::note;

/// A wrong way of calling: exit code 2, as clap's own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A failure of wrong arguments.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// Reports a failure in one line and gives the exit code: 1 for data and run-time errors, 2 for wrong arguments.
pub(crate) fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    note(&format!("error: {}", one_line(&error)));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

/// Answers arguments that could not be read: help and version as asked for, what is wrong as one line, exit code 2.
pub(crate) fn refused(refusal: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if matches!(refusal.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand) {
        // Whoever asked may have stopped reading; that is no failure.
        let _ = refusal.print();
        return ExitCode::from(refusal.exit_code() as u8);
    }
    let text = refusal.render().to_string();
    let what = text.split("\n\n").next().unwrap_or(&text);
    let words: Vec<&str> = what.split_whitespace().collect();
    note(&format!("{}\nfor what is accepted, see --help", words.join(" ")));
    ExitCode::from(2)
}

/// The chain of causes as one line, without saying anything twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        if said.contains(&text) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&text);
    }
    said
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn causes_are_chained_once() {
        let error = Err::<(), _>(usage("horizon is 0s")).context("cannot forecast").expect_err("an error");
        assert_eq!(one_line(&error), "cannot forecast: horizon is 0s");
        assert!(error.is::<Usage>());
        let same =
            Err::<(), _>(anyhow::anyhow!("load.csv: broken")).context("load.csv: broken at the end").expect_err("one");
        assert_eq!(one_line(&same), "load.csv: broken at the end");
    }
}

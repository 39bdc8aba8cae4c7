//! One verb a file.

/// Parse the command line, run the verb, give its exit code.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

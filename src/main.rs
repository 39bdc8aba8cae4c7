//! Process set-up and exit code; everything else is in the library.

fn main() -> std::process::ExitCode {
    kstrim::main()
}

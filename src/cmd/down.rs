//! `kstrim down`

pub async fn run(
    _: &crate::cli::Global,
    _: &crate::cli::Down,
) -> crate::failure::Result<std::process::ExitCode> {
    todo!()
}

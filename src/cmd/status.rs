//! `kstrim status`

pub async fn run(
    _: &crate::cli::Global,
    _: &crate::cli::Status,
) -> crate::failure::Result<std::process::ExitCode> {
    todo!()
}

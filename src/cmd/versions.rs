//! `kstrim versions`

use std::process::ExitCode;

use crate::catalogue;
use crate::cli::{Format, Versions};
use crate::failure::Result;
use crate::report::table::Table;
use crate::report::{self, OutputMode};

/// Print which Kafka fits which Strimzi, Kubernetes and minikube.
///
/// # Errors
/// None today.
pub fn run(args: &Versions) -> Result<ExitCode> {
    let rows = catalogue::rows();
    let text = match args.output {
        Format::Json => super::json(&rows),
        Format::Yaml => super::yaml(&rows),
        Format::Text => {
            let mut table = Table::new(["STRIMZI", "DATE", "KAFKA (default last)", "KUBERNETES", "MINIKUBE"]);
            for row in &rows {
                let mut kafka: Vec<String> =
                    row.kafka.iter().filter(|k| **k != row.default_kafka).map(ToString::to_string).collect();
                kafka.push(row.default_kafka.to_string());
                let minikube = row.minikube.as_ref().map_or_else(String::new, |(a, b)| format!("{a} - {b}"));
                table.row([
                    row.release.to_string(),
                    row.date.clone(),
                    kafka.join(", "),
                    row.kubernetes.to_string(),
                    minikube,
                ]);
            }
            let mode = report::resolve(OutputMode::Auto, super::stdout_is_terminal(), false, &|n| {
                std::env::var(n).ok()
            });
            table.render(mode.stdout, report::stdout_columns())
        }
    };
    super::print(&text);
    Ok(ExitCode::SUCCESS)
}

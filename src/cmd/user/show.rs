//! `kstrim user list` and `kstrim user show`

use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::{User, all, export, find_user};
use crate::cli::{Format, Global, UserList, UserShow};
use crate::cmd::living;
use crate::failure::Result;
use crate::terminal::table::Table;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    user: User,
    /// The address for clients inside the cluster: of the listener with the user's authentication.
    bootstrap: Option<String>,
    /// Files that were written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exported: Vec<String>,
    /// The entries of the Secret, only with `--reveal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<std::collections::BTreeMap<String, String>>,
}

pub(super) async fn list(global: &Global, args: &UserList) -> Result<ExitCode> {
    living::reading(global, async |living| {
        let users: Vec<User> = all(&living).await?.into_iter().map(|(user, _)| user).collect();
        crate::cmd::print(&match args.output {
            Format::Json => crate::cmd::json(&users),
            Format::Yaml => crate::cmd::yaml(&users),
            Format::Text => table(&users),
        });
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn table(users: &[User]) -> String {
    if users.is_empty() {
        return "no users\n".to_owned();
    }
    let mut table = Table::new(["USER", "AUTHENTICATION", "RULES", "CREATED BY", "STATE"]).right(2);
    for user in users {
        let by = if user.made_by_kstrim { "kstrim" } else { "others" };
        let state = user.reason.clone().unwrap_or_else(|| "ready".to_owned());
        let rules = user.acls.len().to_string();
        table.row([user.user.clone(), user.authentication.clone(), rules, by.to_owned(), state]);
    }
    crate::cmd::drawn(&table)
}

pub(super) async fn show(global: &Global, args: &UserShow) -> Result<ExitCode> {
    living::reading(global, async |living| {
        let (user, _) = find_user(&living, &args.user).await?;
        let bootstrap = export::bootstrap(&living.kafka(), &user);
        let mut shown = Shown { user, bootstrap, exported: Vec::new(), secrets: None };
        if args.export.is_some() || args.reveal {
            crate::cmd::login::authentication(&shown.user)?;
            let secrets = export::secrets(&living, &shown.user).await?;
            if let Some(folder) = &args.export {
                shown.exported = export::write(folder, &living, &shown.user, &secrets).await?;
            }
            if args.reveal {
                shown.secrets = Some(secrets);
            }
        }
        crate::cmd::print(&match args.output {
            Format::Json => crate::cmd::json(&shown),
            Format::Yaml => crate::cmd::yaml(&shown),
            Format::Text => text(&shown),
        });
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn text(shown: &Shown) -> String {
    let user = &shown.user;
    let mut facts = Table::default();
    let mut row = |name: &str, value: &str| facts.row([name, value]);
    row("User", &user.user);
    row("Created by", if user.made_by_kstrim { "kstrim" } else { "others" });
    row("Authentication", &user.authentication);
    row("Known to Kafka as", user.principal.as_deref().unwrap_or("not yet"));
    for (index, rule) in user.acls.iter().enumerate() {
        row(if index == 0 { "May" } else { "" }, rule);
    }
    for (name, limit) in &user.quotas {
        row(
            name,
            &match limit {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        );
    }
    row("Secret", user.without_secret().or(user.secret.as_deref()).unwrap_or("not yet"));
    let no_listener = match user.listener() {
        Some(_) => "no listener accepts this user yet",
        None => "any listener without Strimzi authentication",
    };
    row("Bootstrap in the cluster", shown.bootstrap.as_deref().unwrap_or(no_listener));
    row("State", user.reason.as_deref().unwrap_or("ready"));
    for file in &shown.exported {
        row("Written", file);
    }
    let mut text = crate::cmd::drawn(&facts);
    for (name, value) in shown.secrets.iter().flatten() {
        text += &format!("\n--- {name}\n{}\n", value.trim_end());
    }
    text
}

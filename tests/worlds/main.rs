//! Worlds full of foreign objects, users and machines. Whatever kstrim does in them, everything that is not its own
//! must stay unchanged.

#[path = "../cli/harness.rs"]
mod harness;
#[path = "../cli/hint_check.rs"]
mod hint_check;
#[path = "../cli/stand_ins.rs"]
mod stand_ins;
#[path = "../cli/support.rs"]
mod support;
#[path = "../cli/terminal.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod terminal;

mod bystanders;
mod foreign;
mod places;
mod questions;
mod together;
mod verbs;

//! The whole program against stand-ins for `minikube`, `kubectl` and `docker`.

mod bad_input;
mod config;
mod diagnose;
mod down;
mod exit_codes;
mod fakes_faithful;
mod fakes_minikube;
mod faults;
mod harness;
mod images;
mod lock;
mod matrix;
mod output;
mod plan;
mod reliability;
mod resume;
mod signals;
mod smoke;
mod stand_ins;
mod stream;
mod support;
mod terminal;
mod topics;
mod trouble;
mod up;
mod users;

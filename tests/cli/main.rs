//! The whole program against stand-ins for `minikube`, `kubectl` and `docker`.

mod fakes_faithful;
mod fakes_minikube;
mod harness;
mod matrix;
mod support;
mod up;

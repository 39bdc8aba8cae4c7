//! The stand-ins as a program; what they do is in the library beside, which is optimised (`Cargo.toml`).

fn main() {
    stand_ins::main();
}

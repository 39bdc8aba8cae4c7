# Tasks of the project; `just` lists them. Each is a command that can be typed by hand, too.

_list:
    @just --list

# The quick tests: no cluster, no network
test *ARGS:
    cargo test {{ARGS}}

# Formatting, lints and documentation, as CI checks them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --document-private-items

# Licences, banned crates and sources; known vulnerabilities need GitHub
deny:
    cargo deny check

# The end-to-end tests on a real cluster (root, Debian 12, Go: tests/ground/README.md)
e2e *ARGS:
    tests/ground/ground test {{ARGS}}

# Write docs/schema from the types; read the diff
schema:
    cargo xtask schemas

# Write the generated documentation: docs/errors.md, docs/presets.md, tables in others; --reliability: all
docs *ARGS:
    cargo xtask docs {{ARGS}}

# Add releases to the catalogue, or see what the next ones change (docs/releases.md)
catalogue *ARGS:
    cargo xtask catalogue {{ARGS}}

# Review changed snapshots
snapshots:
    cargo insta review

# The rules and predicates against the recordings of a real cluster
recordings:
    cargo test --test replay

# Everything that must pass before a change is merged
ci:
    .ci/run

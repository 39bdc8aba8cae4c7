# Tasks of the project; `just` lists them. Each is a command that can be typed by hand, too.

_list:
    @just --list

# The quick tests: no cluster, no network
test *ARGS:
    cargo test {{ARGS}}

# Formatting, lints and documentation, as CI checks them
lint:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --document-private-items

# Licences, banned crates and sources; known vulnerabilities need GitHub
deny:
    cargo deny check

# The end-to-end tests on a real cluster (root, Debian 12, Go: tests/ground/README.md)
e2e *ARGS:
    tests/ground/ground test {{ARGS}}

# Write docs/schema from the types; read the diff
schema:
    UPDATE_SCHEMA=1 cargo test --lib schema
    KSTRIM_UPDATE_SCHEMA=1 cargo test --test cli config::

# Write the pages that are generated: docs/errors.md, docs/exit-codes.md
docs:
    UPDATE_DOCS=1 cargo test --lib errors::

# Review changed snapshots
snapshots:
    cargo insta review

# The rules and predicates against the recordings of a real cluster
recordings:
    cargo test --test replay

# Everything that must pass before a change is merged
ci:
    .ci/run

//! The releases whose presets the end-to-end tests hand to a real API server, and the table in the
//! documents names: both sides read this list.

/// The first, the last before and the first after each change of the resources: ZooKeeper only in earnest,
/// node pools, the last with ZooKeeper, the first without, the first and the last of `v1` beside `v1beta2`,
/// `v1` alone, the newest.
pub const RELEASES: [&str; 7] = ["0.30.0", "0.39.0", "0.45.2", "0.46.1", "0.49.1", "1.0.1", "1.2.0"];

//! The releases whose presets the end-to-end tests send to a real API server, and that the table in the documents
//! lists.

/// The first release, and the last before and the first after each change of the resources: ZooKeeper only, node
/// pools, the last with ZooKeeper, the first without, the first and the last with both `v1` and `v1beta2`, `v1` only,
/// the newest.
pub const RELEASES: [&str; 7] = ["0.30.0", "0.39.0", "0.45.2", "0.46.1", "0.49.1", "1.0.1", "1.2.0"];

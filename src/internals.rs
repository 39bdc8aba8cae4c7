//! What the integration tests and `cargo xtask` use of this library. Nothing else in it is public: kstrim is a
//! program, and its library has no other users.

pub mod bundle {
    pub use crate::bundle::{Bundle, platform};
}
pub mod catalogue {
    pub use crate::catalogue::{
        Catalogue, Choice, Kafka, Kraft, Minikube, Mode, Partial, Range, Release, SCHEMA, Schema, Stage,
        catalogue, find, releases, resolve,
    };
    pub mod broker {
        pub use crate::catalogue::broker::{NEEDS, Need, need, needs};
    }
    pub mod served {
        pub use crate::catalogue::served::*;
    }
    pub mod programs {
        pub use crate::catalogue::programs::{MOST, digest};
    }
}
pub mod cli {
    pub use crate::cli::Cli;
}
pub mod component {
    pub use crate::component::{KINDS, TABLE, into_kafka, of};
}
pub mod config {
    pub mod files {
        pub use crate::config::files::parse;
    }
    pub mod keys {
        pub use crate::config::keys::{all, class};
    }
}
pub mod diagnose {
    pub use crate::diagnose::{FILE_LIMIT, WHOLE_LIMIT};
}
pub mod download {
    pub use crate::download::{Settings, Source, Store};
}
pub mod errors {
    pub use crate::errors::{Severity, find};
}
pub mod explain {
    pub use crate::explain::{
        Answers, Expect, Finding, Judge, Probe, Recovery, Scene, Scope, Severity, Verdict, findings, held,
        reconciliations, rules, subjects, timed_out,
    };
    pub mod kubectl {
        pub use crate::explain::kubectl::explain;
    }
    pub mod ready {
        pub use crate::explain::ready::{Readiness, brokers, crds_established, kafka, operator, topic};
    }
}
pub mod failure {
    pub use crate::failure::{Failure, Kind, Result};
}
pub mod kafka {
    pub mod records {
        pub use crate::kafka::records::{Entry, MAX_RECORD, Records, Step};
    }
}
pub mod kube {
    pub use crate::kube::{ApiError, Kind, Object, Snapshot, Store};
    pub mod proxy {
        pub use crate::kube::proxy::head;
    }
}
pub mod manifest {
    pub use crate::manifest::{Object, digest, label, retarget, split, to_yaml, tune, yaml_text};
    pub mod component {
        pub use crate::manifest::component::{ComponentInput, proof_connectors};
    }
    pub mod images {
        pub use crate::manifest::images::{Image, beside, from_registry, of, pull_with};
    }
    pub mod load {
        pub use crate::manifest::load::{from_bytes, from_path};
    }
    pub mod render {
        pub use crate::manifest::render::{Preset, RenderInput, kafka, topic};
    }
    pub mod source {
        pub use crate::manifest::source::{CLASS, Origin, install};
    }
    pub mod user {
        pub use crate::manifest::user::{Authentication, UserInput, user};
    }
}
pub mod names {
    pub use crate::names::{
        ClusterName, ComponentName, DnsLabel, KubernetesVersion, Minor, ProfileName, StorageSize, Tool,
        ToolSpec, TopicName, Version, memory_mb,
    };
}
pub mod paths {
    pub use crate::paths::cache_dir;
}
pub mod redact {
    pub use crate::redact::{Redactor, shapes, text};
}
pub mod tool {
    pub mod minikube_output {
        pub use crate::tool::minikube_output::{config_view, profile, start_event, status};
    }
}
pub mod toolbox {
    pub use crate::toolbox::Toolbox;
    pub mod checksum {
        pub use crate::toolbox::checksum::parse;
    }
}
pub mod user_manifests {
    pub mod supply {
        pub use crate::user_manifests::supply::{checked, checked_after_fit, has_replacement};
    }
}

//! The components. Pure functions.

use super::data;
use crate::cluster::installation;
use crate::component::{self, Component, Home};
use crate::explain::ready::Readiness;
use crate::explain::{Scene, Verdict};
use crate::kube::object::{Object, text};

/// Those that exist, whoever created them.
pub(crate) fn components(scene: &Scene<'_>, verdict: &Verdict) -> Vec<data::Component> {
    let kafka = scene.kafka();
    let one = |component: &Component| {
        let (resource, ours, url) = match &component.home {
            Home::Resource(kind, _) => {
                let found = component::ready::resource(component, scene)?;
                let url = text(found.json(), "/status/url");
                let url = Some(url.to_owned()).filter(|u| !u.is_empty());
                (format!("{kind}/{}", found.name()), created_by_kstrim(found), url)
            }
            Home::Field(field) => {
                let json = kafka.as_ref()?.0.json();
                if !component.is_field_of(json) {
                    return None;
                }
                (field.path.join("."), component.is_marked(json), None)
            }
        };
        // A cause that ends waits is reported as a finding, and may be about something else.
        let without = Verdict { terminal: None, ..verdict.clone() };
        let reason = why(component::ready::component(component, scene, &without));
        let title = format!("{}: ", component.title);
        let reason = reason.map(|r| r.strip_prefix(&title).map(str::to_owned).unwrap_or(r));
        let name = component.name.to_string();
        Some(data::Component { name, resource, ready: reason.is_none(), reason, ours, url })
    };
    component::TABLE.iter().filter_map(one).collect()
}

/// Whether any kstrim installation created it.
pub(super) fn created_by_kstrim(object: &Object) -> bool {
    installation::by_kstrim(object.json())
}

pub(super) fn why(readiness: Readiness) -> Option<String> {
    match readiness {
        Readiness::Ready => None,
        Readiness::Progressing { why } => Some(why),
        Readiness::Failed(finding) => Some(finding.sentence),
    }
}

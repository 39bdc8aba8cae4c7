//! Names that may already be in use. The command line has already validated their characters.

use super::{Ground, Verdict};
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::tool::engine::{Answer, Engine};

/// minikube names the node's container after the profile. A container that `minikube delete` left behind while the
/// engine was down (it exits with 0 then), or a foreign one, prevents its creation.
pub(crate) async fn container(ground: &Ground) -> Verdict {
    if ground.profile().await.is_some() {
        return Verdict::Skip("it is the profile's".into());
    }
    let found = ground.engine().await;
    let (Some(driver), Some(Answer::Up(_)), Some(runner)) = (&found.driver, &found.answer, &ground.runner)
    else {
        return Verdict::Skip("no container engine responds".into());
    };
    let Some(engine) = Engine::find(driver, runner.clone()) else {
        return Verdict::Skip(format!("{driver} does not respond"));
    };
    let name = ground.profile_name();
    match engine.has_container(name).await {
        Some(false) => Verdict::Ok(format!("no container is named {name}")),
        None => Verdict::Skip(format!("{driver} cannot list its containers")),
        Some(true) => Verdict::Fail(Box::new(
            Failure::new(
                errors::CONTAINER_TAKEN,
                Kind::Foreign,
                format!("a container is named {name}, but there is no minikube profile {name}"),
            )
            .because(
                "`minikube delete` leaves one behind if the engine is not running; or it belongs to \
                 somebody else",
            )
            .hint(format!("show it: {driver} ps -a --filter name={name}"))
            .hint(format!("if it is not needed, remove it: {driver} rm -f {name}"))
            .hint("or use another name: --profile another-name"),
        )),
    }
}

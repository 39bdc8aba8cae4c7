//! The settings of a run, resolved and validated before any command is run.

pub(crate) mod belief;
mod bundled;
mod entry;
pub(crate) mod files;
pub(crate) mod keys;
mod parse;
pub(crate) mod trust;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bundle::Bundle;
pub(crate) use crate::cli::{BrokerJvm, PresetName};
use crate::cli::{Global, What};
use crate::command_line::{Aim, CommandLine};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{
    ClusterName, ComponentName, ContextName, DnsLabel, ImageRegistry, KubernetesVersion, ProfileName,
    SecretName, StorageSize, TopicName, Version,
};

/// Memory that the quickstart needs, MiB: Strimzi's own uses `minikube start --memory=4096`.
pub(crate) const DEFAULT_MEMORY_MB: &str = "4096";
/// CPUs that the quickstart needs; minikube's own minimum.
pub(crate) const DEFAULT_CPUS: &str = "2";

/// How long a download may receive little or no data; the flag's default.
pub(crate) const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The Secret that kstrim creates from a docker login.
pub(crate) const PULL_SECRET: &str = "kstrim-image-pull";

/// Which cluster: what every command needs.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// minikube profile and kubectl context; with [`Target::context`] the name derived from it.
    pub profile: ProfileName,
    /// A context of the user's kubeconfig, instead of minikube.
    pub context: Option<ContextName>,
    /// The namespace of the operator and the Kafka cluster.
    pub namespace: DnsLabel,
    /// Name of the Kafka resource.
    pub cluster: ClusterName,
    /// Flags that were given on the command line.
    pub given: Vec<&'static str>,
}

/// Commands in messages, for the cluster of the run that prints them.
impl Target {
    /// A command of kstrim: `target.kstrim("topic list")`.
    pub(crate) fn kstrim(&self, words: &'static str) -> CommandLine {
        CommandLine::aimed("kstrim", self.target_flags()).args(words.split_whitespace())
    }

    /// A command of kubectl, through kstrim.
    pub(crate) fn kubectl(&self, words: &'static str) -> CommandLine {
        self.kstrim("kubectl --").args(words.split_whitespace())
    }

    /// The command that was typed, for this cluster: with all its flags to repeat it, with one more to continue.
    pub(crate) fn again(&self) -> CommandLine {
        CommandLine::typed(self.target_flags())
    }

    /// A command of minikube.
    pub(crate) fn minikube(&self, words: &'static str) -> CommandLine {
        CommandLine::minikube(words, self.profile.as_str())
    }

    /// The flags that select this cluster. A default is omitted, unless it was specified as a flag: a variable or a
    /// settings file may set another value.
    pub(crate) fn target_flags(&self) -> Vec<Aim> {
        let aim = |long: &'static str, value: &str, default: &str| {
            let wanted = value != default || self.given.contains(&long);
            wanted.then(|| Aim { long, value: value.to_owned() })
        };
        let place = match &self.context {
            Some(context) => aim("--context", context.as_str(), ""),
            None => aim("--profile", self.profile.as_str(), "kstrim"),
        };
        let namespace = aim("--namespace", self.namespace.as_str(), "kafka");
        [place, namespace, aim("--cluster", self.cluster.as_str(), "my-cluster")]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The target that the flags' defaults select.
impl Default for Target {
    fn default() -> Self {
        fn name<T: std::str::FromStr>(default: &str) -> T {
            default.parse().unwrap_or_else(|_| unreachable!("a valid name"))
        }
        Self {
            profile: name("kstrim"),
            context: None,
            namespace: name("kafka"),
            cluster: name("my-cluster"),
            given: Vec::new(),
        }
    }
}

impl From<&Global> for Target {
    fn from(global: &Global) -> Self {
        Self {
            profile: global.context.as_ref().map_or_else(|| global.profile.clone(), ProfileName::of_context),
            context: global.context.clone(),
            namespace: global.namespace.clone(),
            cluster: global.cluster.clone(),
            given: global.given.clone(),
        }
    }
}

/// The settings of `up`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Which cluster.
    pub target: Target,
    /// The topic.
    pub topic: TopicName,
    /// The requested preset; the release has a default.
    pub preset: Option<PresetName>,
    /// The components to run in addition to Kafka, each once.
    pub with: Vec<ComponentName>,
    /// The topic that MirrorMaker 2 mirrors, if it is not [`Settings::topic`].
    pub mirrored: Option<TopicName>,
    /// Size of each broker's volume, a Kubernetes quantity.
    pub storage: StorageSize,
    /// How the JVMs of the brokers run, unless Strimzi's own settings are kept.
    pub broker_jvm: BrokerJvm,
    /// Whether Strimzi's own settings are kept.
    pub stock: bool,
    /// Whether foreign objects are accepted.
    pub adopt: bool,
    /// The requested Strimzi release; the catalogue resolves it together with Kafka and Kubernetes.
    pub release: Option<Version>,
    /// The requested Kafka version.
    pub kafka: Option<Version>,
    /// The requested Kubernetes version.
    pub kubernetes: Option<KubernetesVersion>,
    /// Whether the release may run on a Kubernetes that it does not support.
    pub allow_unsupported: bool,
    /// minikube driver.
    pub driver: Option<String>,
    /// The requested memory.
    pub memory: Option<String>,
    /// The requested number of CPUs.
    pub cpus: Option<String>,
    /// The requested number of nodes.
    pub nodes: Option<u32>,
    /// Whether a new profile's node gets images of an earlier one, and keeps its own for the next.
    pub image_cache: bool,
    /// Passed through to `minikube start`.
    pub minikube_args: Vec<String>,
    /// Where the install manifest comes from, if not from its publisher.
    pub manifests: Option<String>,
    /// Where downloads come from, if not from their publisher.
    pub mirror: Option<String>,
    /// Whether downloads must not use the network.
    pub offline: bool,
    /// How long a download may receive little or no data.
    pub download_timeout: Duration,
    /// Whether to use this machine's minikube and kubectl, whatever their versions.
    pub system_tools: bool,
    /// A bundle, opened.
    pub bundle: Option<Bundle>,
    /// Image archives to load instead of pulling.
    pub image_archives: Vec<PathBuf>,
    /// Where images come from, if not from their own registry.
    pub image_registry: Option<ImageRegistry>,
    /// Pull secrets of the namespace.
    pub pull_secrets: Vec<SecretName>,
    /// A docker configuration with a login for pulling images.
    pub pull_config: Option<PathBuf>,
    /// A file with digests of minikube and kubectl that the user trusts.
    pub tool_digests: Option<PathBuf>,
}

impl Settings {
    /// Resolve and validate.
    pub(crate) fn new(global: &Global, what: &What) -> Result<Self> {
        let mut settings = Self {
            target: Target::from(global),
            topic: what.topic.clone(),
            preset: what.preset,
            with: once(&what.with),
            mirrored: None,
            storage: what.storage.clone(),
            broker_jvm: what.broker_jvm,
            stock: what.stock,
            adopt: what.adopt,
            release: what.release.clone(),
            kafka: what.kafka.clone(),
            kubernetes: what.kubernetes_version.clone(),
            allow_unsupported: what.allow_unsupported,
            driver: what.driver.clone(),
            memory: what.memory.clone(),
            cpus: what.cpus.clone(),
            nodes: what.nodes,
            image_cache: what.image_cache,
            minikube_args: what.minikube_arg.clone(),
            manifests: what.manifests.clone(),
            mirror: what.mirror.clone(),
            offline: what.offline,
            download_timeout: what.download_timeout,
            system_tools: what.system_tools,
            bundle: None,
            image_archives: Vec::new(),
            image_registry: what.image_registry.clone(),
            pull_secrets: what.image_pull_secret.clone(),
            pull_config: what.image_pull_config.clone(),
            tool_digests: what.tool_digests.clone(),
        };
        settings.take_kubernetes()?;
        settings.load_images(&what.image_archive)?;
        settings.check()?;
        settings.elsewhere();
        if let Some(bundle) = &what.bundle {
            let bundle = settings.open_bundle(bundle)?;
            bundled::apply(&mut settings, bundle)?;
        }
        Ok(settings)
    }

    /// A Kubernetes version among the arguments for minikube is treated like `--kubernetes-version`: the release must
    /// support it. Words that only minikube understands (`stable`, `latest`) are passed on.
    fn take_kubernetes(&mut self) -> Result<()> {
        const FLAG: &str = "--kubernetes-version";
        let args = &self.minikube_args;
        let found = args.iter().enumerate().rev().find_map(|(at, arg)| match arg.strip_prefix(FLAG)? {
            "" => Some((at, 2, args.get(at + 1)?.clone())),
            rest => Some((at, 1, rest.strip_prefix('=')?.to_owned())),
        });
        let Some((at, words, value)) = found else { return Ok(()) };
        let Ok(version) = value.parse::<KubernetesVersion>() else { return Ok(()) };
        if self.kubernetes.as_ref().is_some_and(|asked| *asked != version) {
            let takes = format!("the same version as {FLAG}: omit one of them");
            return Err(invalid(&format!("--minikube-arg={FLAG}"), &value, &takes));
        }
        self.kubernetes = Some(version);
        self.minikube_args.drain(at..at + words);
        Ok(())
    }

    /// What differs on a cluster that minikube did not create: it is meant to last, and no images can be loaded into
    /// it.
    fn elsewhere(&mut self) {
        if self.target.context.is_some() {
            self.preset = self.preset.or(Some(PresetName::Ha));
            self.stock = true;
        }
    }

    /// Open a bundle, which can only be loaded into minikube.
    pub(crate) fn open_bundle(&self, bundle: &Path) -> Result<Bundle> {
        if self.target.context.is_some() {
            let value = bundle.display().to_string();
            let takes = "no value together with --context, whose cluster pulls its own images";
            return Err(invalid("--bundle", &value, takes));
        }
        let bundle = Bundle::open(bundle)?;
        if bundle.index.snapshot.is_none() {
            return Ok(bundle);
        }
        let file = bundle.path.display().to_string();
        let failure = invalid("--bundle", &file, "a bundle with an install manifest, and this is a snapshot");
        let restore = self.target.kstrim("snapshot restore --file").arg(&file);
        Err(Box::new(failure.hint(format!("restore it: {restore}"))))
    }

    /// Use image archives, which must exist and can only be loaded into minikube.
    pub(crate) fn load_images(&mut self, archives: &[PathBuf]) -> Result<()> {
        if let Some(archive) = archives.first().filter(|_| self.target.context.is_some()) {
            return Err(invalid(
                "--image-archive",
                &archive.display().to_string(),
                "no value together with --context, whose cluster pulls its own images (--image-registry sets the registry)",
            ));
        }
        if let Some(archive) = archives.iter().find(|a| !a.is_file()) {
            let value = archive.display().to_string();
            return Err(invalid(
                "--image-archive",
                &value,
                "an existing image archive (docker save -o FILE)",
            ));
        }
        self.image_archives = archives.to_vec();
        Ok(())
    }

    /// The settings of `up`'s tasks on an existing cluster: everything but the target and the topic is left open.
    pub(crate) fn for_existing(target: &Target, topic: &TopicName) -> Self {
        Self {
            target: target.clone(),
            topic: topic.clone(),
            preset: None,
            with: Vec::new(),
            mirrored: None,
            storage: default_storage(),
            allow_unsupported: false,
            broker_jvm: BrokerJvm::default(),
            stock: false,
            adopt: false,
            release: None,
            kafka: None,
            kubernetes: None,
            driver: None,
            memory: None,
            cpus: None,
            nodes: None,
            image_cache: false,
            minikube_args: Vec::new(),
            manifests: None,
            mirror: None,
            offline: false,
            download_timeout: DOWNLOAD_TIMEOUT,
            system_tools: false,
            bundle: None,
            image_archives: Vec::new(),
            image_registry: None,
            pull_secrets: Vec::new(),
            pull_config: None,
            tool_digests: None,
        }
    }

    /// The laptop tuning, unless Strimzi's own settings are kept.
    pub(crate) fn tuning(&self) -> Option<BrokerJvm> {
        (!self.stock).then_some(self.broker_jvm)
    }

    /// The pull secrets of pods; the last one is the one that kstrim creates from a docker login.
    pub(crate) fn pull_secret_names(&self) -> Vec<String> {
        let named = self.pull_secrets.iter().map(ToString::to_string);
        named.chain(self.pull_config.iter().map(|_| PULL_SECRET.to_owned())).collect()
    }

    /// Whether images come from archives instead of a registry.
    pub(crate) fn loads_archives(&self) -> bool {
        !self.image_archives.is_empty() || self.bundle.is_some()
    }

    fn check(&self) -> Result<()> {
        if let Some(file) = &self.pull_config
            && !file.is_file()
        {
            let value = file.display().to_string();
            return Err(invalid("--image-pull-config", &value, "an existing Docker configuration file"));
        }
        Ok(())
    }
}

/// The components in the order of the table, each once.
pub(crate) fn once(names: &[ComponentName]) -> Vec<ComponentName> {
    ComponentName::ALL.into_iter().filter(|name| names.contains(name)).collect()
}

/// The default topic.
pub(crate) fn default_topic() -> TopicName {
    "my-topic".parse().unwrap_or_else(|_| unreachable!("a valid name"))
}

/// The volume size of Strimzi's own example; minikube's host path volumes do not reserve it.
fn default_storage() -> StorageSize {
    "100Gi".parse().unwrap_or_else(|_| unreachable!("a valid size"))
}

fn invalid(flag: &str, value: &str, takes: &str) -> Box<Failure> {
    Box::new(
        Failure::new(errors::SETTING_INVALID, Kind::Usage, format!("{flag} cannot be `{value}`"))
            .because(format!("expected {takes}")),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn settings(args: &[&str]) -> Result<Settings> {
        let cli = Cli::try_parse_from(["kstrim", "up"].iter().chain(args)).expect("parses");
        let Command::Up(up) = cli.command else { unreachable!() };
        Settings::new(&cli.global, &up.what)
    }

    #[test]
    fn invalid_values_are_reported_with_the_allowed_ones() {
        for (args, flag) in [
            (["--image-archive", "/no/such.tar"], "--image-archive"),
            (["--image-pull-config", "/no/such.json"], "--image-pull-config"),
        ] {
            let args: Vec<String> = vec![format!("{}={}", args[0], args[1])];
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let failure = settings(&args).expect_err(flag);
            assert_eq!((failure.id, failure.kind), (errors::SETTING_INVALID, Kind::Usage));
            assert!(failure.message.contains(flag), "{}", failure.message);
        }
        assert!(
            settings(&["--memory=6Gi", "--cpus=max", "--storage=10Gi", "--minikube-arg=--force"]).is_ok()
        );
        let kubernetes = |args: &[&str]| {
            let settings = settings(args).expect("valid");
            (settings.kubernetes.map(|v| v.to_string()), settings.minikube_args)
        };
        let one = |version: &str| (Some(version.to_owned()), vec!["--force".to_owned()]);
        let flag = "--minikube-arg=--kubernetes-version";
        assert_eq!(kubernetes(&[&format!("{flag}=v1.34.4"), "--minikube-arg=--force"]), one("1.34.4"));
        assert_eq!(kubernetes(&["--minikube-arg=--force", flag, "--minikube-arg=1.33"]), one("1.33"));
        let both = [&format!("{flag}=1.34"), "--kubernetes-version=1.34", "--minikube-arg=--force"];
        assert_eq!(kubernetes(&both), one("1.34"));
        assert_eq!(kubernetes(&[&format!("{flag}=stable")]).0, None);
        assert_eq!(
            settings(&[&format!("{flag}=1.34"), "--kubernetes-version=1.33"]).expect_err("two").id,
            errors::SETTING_INVALID
        );
        for bad in ["--memory=lots", "--cpus=0", "--driver=-x", "--minikube-arg=-pvictim"] {
            assert!(Cli::try_parse_from(["kstrim", "up", bad]).is_err(), "{bad}");
        }
    }
}

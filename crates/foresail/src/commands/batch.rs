//! `foresail batch --shard I/N --out DIR INPUT`: a backtest of many series cut into shards; `merge` joins what came of them,
//! `manifest` prints what runs them on Kubernetes.

use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use serde_json::{Value, json};

use crate::commands::backtest::{Testing, tell};
use crate::failure::usage;
use crate::lab::bulk::{self, Manifest, Share};
use crate::output::{note, print};

/// The index that Kubernetes gives each pod of an Indexed Job.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// Measure models on many series, on many machines.
///
/// Does one shard of what `backtest --out` does and keeps its parts in DIR. A shard that is called again does what is
/// missing; shards may share a folder or have one each. `merge` makes of all parts the table that one run would have made,
/// byte for byte.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Batch {
    // Before the subcommand, which is gone from what was parsed once it has been taken.
    #[command(flatten)]
    shard: Alone,
    #[command(subcommand)]
    what: Option<What>,
}

/// The arguments of a shard, which are required unless there is a subcommand.
#[derive(Debug)]
struct Alone(Option<Shard>);

impl FromArgMatches for Alone {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let alone = matches.subcommand_name().is_none();
        Ok(Self(if alone { Some(Shard::from_arg_matches(matches)?) } else { None }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Alone {
    fn augment_args(command: clap::Command) -> clap::Command {
        Shard::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Shard::augment_args_for_update(command)
    }
}

#[derive(Subcommand, Debug)]
enum What {
    /// Join the parts of all shards to one table
    Merge(Merge),
    /// Print a Kubernetes Indexed Job that runs every shard
    Manifest(Job),
}

/// One shard.
#[derive(Args, Debug)]
struct Shard {
    /// Which shard of how many: 0/4 to 3/4; job/4 takes the index from JOB_COMPLETION_INDEX
    #[arg(long, value_name = "I/N", required = true)]
    shard: String,
    /// Keep the parts in this folder
    #[arg(long, value_name = "DIR", required = true)]
    out: PathBuf,
    #[command(flatten)]
    testing: Testing,
}

/// Join the parts of all shards to one table.
#[derive(Args, Debug)]
struct Merge {
    /// Folders that shards kept their parts in
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Where to write the table
    #[arg(long, value_name = "F.parquet")]
    output: PathBuf,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Print a Kubernetes Indexed Job that runs every shard.
///
/// What follows -- is given to each pod's `foresail batch`: inputs, --out and options, with paths as the pod sees them below
/// the mount. A pod that fails is tried again and goes on where it was; when the job is complete, call `batch merge`.
#[derive(Args, Debug)]
struct Job {
    /// Shards, each a pod
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: u32,
    /// Pods at a time [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    parallelism: Option<u32>,
    /// Container image that holds foresail
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// Persistent volume claim with the inputs and the results, which pods share
    #[arg(long, value_name = "CLAIM")]
    claim: String,
    /// Where it is mounted
    #[arg(long, value_name = "PATH", default_value = "/data")]
    mount: String,
    /// Name of the job
    #[arg(long, default_value = "foresail-batch")]
    name: String,
    /// Cores of a pod, also its number of threads
    #[arg(long, value_name = "CORES", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4096))]
    cpu: u32,
    /// Memory of a pod
    #[arg(long, value_name = "QUANTITY", default_value = "1Gi")]
    memory: String,
    /// Arguments of each shard, after --
    #[arg(value_name = "ARGUMENTS", last = true, required = true)]
    arguments: Vec<String>,
}

impl Batch {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match (self.what, self.shard.0) {
            (Some(What::Merge(merge)), _) => merge.run(),
            (Some(What::Manifest(job)), _) => job.run(),
            (None, Some(shard)) => shard.run(),
            (None, None) => Err(usage("--shard I/N is missing; accepted are a shard, merge or manifest")),
        }
    }
}

impl Shard {
    fn run(&self) -> anyhow::Result<()> {
        let share = share(&self.shard, from_environment)?;
        let manifest = self.testing.run_share(&self.out, share)?;
        note(&format!(
            "shard {} of {} is done: its parts of {} are in {}",
            share.index,
            share.of,
            manifest.chunks(),
            self.out.display()
        ));
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary reads the environment, here what the cluster tells a pod")]
fn from_environment() -> Option<String> {
    std::env::var(INDEX).ok()
}

/// The shard that `text` means, with the index from the job where it says so.
fn share(text: &str, index: impl Fn() -> Option<String>) -> anyhow::Result<Share> {
    let wrong = |error: String| usage(format!("--shard: {error}"));
    let Some(of) = text.strip_prefix("job/") else { return text.parse().map_err(wrong) };
    let index =
        index().ok_or_else(|| usage(format!("--shard is {text}; {INDEX} is not set, so this is no Indexed Job")))?;
    format!("{index}/{of}").parse().map_err(wrong)
}

impl Merge {
    fn run(&self) -> anyhow::Result<()> {
        let mut manifests = self.folders.iter().map(|folder| Manifest::read(folder));
        let manifest = manifests.next().context("a folder is required")??;
        for (folder, other) in self.folders[1..].iter().zip(manifests) {
            if let Some(what) = manifest.difference(&other?) {
                let (first, folder) = (self.folders[0].display(), folder.display());
                return Err(usage(format!("{folder} holds the results of another run than {first}: {what}")));
            }
        }
        let summary = bulk::merge(&manifest, &self.folders, &self.output)?;
        tell(&summary, &self.output, self.json)
    }
}

/// What a shard's arguments must be.
#[derive(Parser)]
struct Checked {
    #[command(flatten)]
    shard: Shard,
}

impl Job {
    fn run(&self) -> anyhow::Result<()> {
        let share = format!("job/{}", self.shards);
        let threads = self.cpu.to_string();
        let fixed = ["batch", "--shard", &share, "--threads", &threads].map(str::to_owned);
        let arguments: Vec<String> = fixed.into_iter().chain(self.arguments.iter().cloned()).collect();
        let matches = <Checked as clap::CommandFactory>::command().try_get_matches_from(&arguments);
        let checked = matches.and_then(|matches| Checked::from_arg_matches(&matches));
        let shard = checked.map_err(|refusal| usage(format!("arguments of a shard: {}", said(&refusal))))?.shard;
        let mount = std::path::Path::new(&self.mount);
        let outside = |path: &&PathBuf| !path.starts_with(mount);
        if let Some(path) = shard.testing.inputs().iter().chain([&shard.out]).find(outside) {
            let (path, mount) = (path.display(), &self.mount);
            return Err(usage(format!("{path} is not below {mount}, where the volume is mounted")));
        }
        print(&serde_json::to_string_pretty(&self.document(&arguments))?)
    }

    /// The job, as JSON, which is YAML too.
    fn document(&self, arguments: &[String]) -> Value {
        let resources = json!({ "cpu": self.cpu.to_string(), "memory": self.memory });
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": self.name, "labels": { "app.kubernetes.io/name": "foresail" } },
            "spec": {
                "completionMode": "Indexed",
                "completions": self.shards,
                "parallelism": self.parallelism.unwrap_or(self.shards).min(self.shards),
                // A shard goes on where it was, so trying again is cheap; one that cannot be done must not stop the others.
                "backoffLimitPerIndex": 5,
                "template": {
                    "metadata": { "labels": { "app.kubernetes.io/name": "foresail" } },
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{
                            "name": "foresail",
                            "image": self.image,
                            "command": ["foresail"],
                            "args": arguments,
                            "resources": { "requests": resources, "limits": resources },
                            "volumeMounts": [{ "name": "data", "mountPath": self.mount }],
                        }],
                        "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": self.claim } }],
                    },
                },
            },
        })
    }
}

/// The first sentence of a refusal, in one line.
fn said(refusal: &clap::Error) -> String {
    let text = refusal.render().to_string();
    let what = text.split("\n\n").next().unwrap_or(&text);
    let words: Vec<&str> = what.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_comes_from_the_arguments_or_from_the_job() {
        let job = |index: &str| Some(index.to_owned());
        assert_eq!(share("1/4", || None).expect("a shard"), Share { index: 1, of: 4 });
        assert_eq!(share("job/4", || job("3")).expect("a shard"), Share { index: 3, of: 4 });
        for (text, index, what) in [("job/4", None, INDEX), ("job/4", Some("4"), "4/4"), ("4/4", None, "4/4")] {
            let said = share(text, || index.map(str::to_owned)).expect_err("no shard").to_string();
            assert!(said.contains(what), "{said}");
        }
    }
}

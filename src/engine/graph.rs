//! The pure part of the scheduler: which task may start now.

use std::collections::{BTreeMap, BTreeSet};

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Ended,
}

/// Tasks and their dependencies.
#[derive(Debug)]
pub(crate) struct Graph {
    order: Vec<String>,
    needs: BTreeMap<String, Vec<String>>,
    state: BTreeMap<String, State>,
}

impl Graph {
    /// A graph of these tasks, in this order.
    ///
    /// # Errors
    ///
    /// A sentence naming an id that occurs twice, a dependency that does not exist, or a cycle.
    pub(crate) fn new(specs: impl IntoIterator<Item = (String, Vec<String>)>) -> Result<Self, String> {
        let (mut order, mut needs) = (Vec::new(), BTreeMap::new());
        for (id, wanted) in specs {
            if needs.insert(id.clone(), wanted).is_some() {
                return Err(format!("task {id} is listed twice"));
            }
            order.push(id);
        }
        for (id, wanted) in &needs {
            if let Some(missing) = wanted.iter().find(|n| !needs.contains_key(*n)) {
                return Err(format!("task {id} needs {missing}, which is not in the plan"));
            }
        }
        let state = order.iter().map(|id| (id.clone(), State::Waiting)).collect();
        let graph = Self { order, needs, state };
        graph.acyclic()?;
        Ok(graph)
    }

    fn acyclic(&self) -> Result<(), String> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while done.len() < self.order.len() {
            let before = done.len();
            for id in &self.order {
                if self.needs[id].iter().all(|n| done.contains(n.as_str())) {
                    done.insert(id);
                }
            }
            if done.len() == before {
                let stuck = self.order.iter().filter(|id| !done.contains(id.as_str())).cloned();
                let stuck: Vec<_> = stuck.collect();
                return Err(format!("tasks depend on each other: {}", stuck.join(", ")));
            }
        }
        Ok(())
    }

    /// Start every task whose dependencies are done and that has not started.
    pub(crate) fn start_ready(&mut self) -> Vec<String> {
        let ready: Vec<_> = self
            .order
            .iter()
            .filter(|id| self.state[*id] == State::Waiting)
            .filter(|id| self.needs[*id].iter().all(|n| self.state[n] == State::Done))
            .cloned()
            .collect();
        for id in &ready {
            self.state.insert(id.clone(), State::Running);
        }
        ready
    }

    /// A running task ended; only if it is `done`, others can start.
    pub(crate) fn end(&mut self, id: &str, done: bool) {
        self.state.insert(id.to_owned(), if done { State::Done } else { State::Ended });
    }

    /// Tasks that never started.
    pub(crate) fn never_started(&self) -> Vec<String> {
        self.order.iter().filter(|id| self.state[*id] == State::Waiting).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(specs: &[(&str, &[&str])]) -> Result<Graph, String> {
        let owned = |(id, needs): &(&str, &[&str])| {
            ((*id).to_owned(), needs.iter().map(|need| (*need).to_owned()).collect())
        };
        Graph::new(specs.iter().map(owned))
    }

    #[test]
    fn a_task_starts_as_soon_as_its_own_needs_are_done() {
        let mut graph = graph(&[
            ("cluster", &[]),
            ("namespace", &["cluster"]),
            ("crds", &["cluster"]),
            ("operator", &["namespace", "crds"]),
        ])
        .expect("a graph");
        assert_eq!(graph.start_ready(), ["cluster"]);
        assert!(graph.start_ready().is_empty(), "a task starts once");
        graph.end("cluster", true);
        assert_eq!(graph.start_ready(), ["namespace", "crds"]);
        graph.end("namespace", true);
        assert!(graph.start_ready().is_empty());
        graph.end("crds", false);
        assert!(graph.start_ready().is_empty(), "a failed need starts nothing");
        assert_eq!(graph.never_started(), ["operator"]);
    }

    #[test]
    fn invalid_graphs_are_rejected() {
        assert!(graph(&[("a", &["b"]), ("b", &["a"])]).is_err_and(|e| e.contains("a, b")));
        assert!(graph(&[("a", &["x"])]).is_err_and(|e| e.contains("needs x")));
        assert!(graph(&[("a", &[]), ("a", &[])]).is_err_and(|e| e.contains("twice")));
    }
}

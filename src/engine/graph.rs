//! The pure part of the scheduler: which task may start now.

use std::collections::{BTreeMap, BTreeSet};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Ended,
}

/// Tasks and what each needs.
#[derive(Debug)]
pub struct Graph {
    order: Vec<&'static str>,
    needs: BTreeMap<&'static str, Vec<&'static str>>,
    state: BTreeMap<&'static str, State>,
}

impl Graph {
    /// A graph in the order given.
    ///
    /// # Errors
    /// A sentence naming an id that occurs twice, a need that does not exist, or a cycle.
    pub fn new(specs: impl IntoIterator<Item = (&'static str, Vec<&'static str>)>) -> Result<Self, String> {
        let (mut order, mut needs) = (Vec::new(), BTreeMap::new());
        for (id, wanted) in specs {
            order.push(id);
            if needs.insert(id, wanted).is_some() {
                return Err(format!("task {id} is listed twice"));
            }
        }
        for (id, wanted) in &needs {
            if let Some(missing) = wanted.iter().find(|n| !needs.contains_key(*n)) {
                return Err(format!("task {id} needs {missing}, which is not in the plan"));
            }
        }
        let state = order.iter().map(|id| (*id, State::Waiting)).collect();
        let graph = Self { order, needs, state };
        graph.acyclic()?;
        Ok(graph)
    }

    fn acyclic(&self) -> Result<(), String> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while done.len() < self.order.len() {
            let before = done.len();
            for id in &self.order {
                if self.needs[id].iter().all(|n| done.contains(n)) {
                    done.insert(id);
                }
            }
            if done.len() == before {
                let stuck: Vec<_> = self.order.iter().filter(|id| !done.contains(*id)).copied().collect();
                return Err(format!("tasks depend on each other: {}", stuck.join(", ")));
            }
        }
        Ok(())
    }

    /// Take every task whose needs are done and that has not started.
    pub fn start_ready(&mut self) -> Vec<&'static str> {
        let ready: Vec<_> = self
            .order
            .iter()
            .filter(|id| self.state[*id] == State::Waiting)
            .filter(|id| self.needs[*id].iter().all(|n| self.state[n] == State::Done))
            .copied()
            .collect();
        for id in &ready {
            self.state.insert(id, State::Running);
        }
        ready
    }

    /// A running task ended; only a `done` one lets others start.
    pub fn end(&mut self, id: &'static str, done: bool) {
        self.state.insert(id, if done { State::Done } else { State::Ended });
    }

    /// Tasks that never started.
    pub fn never_started(&self) -> Vec<&'static str> {
        self.order.iter().filter(|id| self.state[*id] == State::Waiting).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_starts_as_soon_as_its_own_needs_are_done() {
        let mut graph = Graph::new([
            ("cluster", vec![]),
            ("namespace", vec!["cluster"]),
            ("crds", vec!["cluster"]),
            ("operator", vec!["namespace", "crds"]),
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
    fn impossible_graphs_are_refused() {
        assert!(Graph::new([("a", vec!["b"]), ("b", vec!["a"])]).is_err_and(|e| e.contains("a, b")));
        assert!(Graph::new([("a", vec!["x"])]).is_err_and(|e| e.contains("needs x")));
        assert!(Graph::new([("a", vec![]), ("a", vec![])]).is_err_and(|e| e.contains("twice")));
    }
}

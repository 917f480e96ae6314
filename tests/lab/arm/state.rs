//! What management keeps, and the switches of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Arm;
use super::data_factory::{Course, Events};
use super::operation::{Operation, Outcome};
use super::resource::Resource;

/// What management keeps.
#[derive(Debug)]
pub(super) struct State {
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) outcomes: VecDeque<(String, Outcome)>,
    pub(super) takes: Duration,
    pub(super) retry_after: Option<u32>,
    pub(super) page: usize,
    pub(super) foreign_links: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            resources: BTreeMap::new(),
            operations: BTreeMap::new(),
            outcomes: VecDeque::new(),
            takes: Duration::from_millis(200),
            retry_after: Some(0),
            page: 100,
            foreign_links: false,
        }
    }
}

impl Arm {
    /// Ends every switch; resources stay.
    pub(in crate::lab) fn heal(&self) {
        let mut state = self.state();
        let resources = std::mem::take(&mut state.resources);
        *state = State {
            resources,
            ..State::default()
        };
        drop(state);
        self.data_factory.course(Course::Good);
        self.data_factory.events(Events::None);
        self.data_factory.takes(Duration::from_millis(200));
    }

    /// How long operations take from now on.
    pub fn takes(&self, time: Duration) {
        self.state().takes = time;
    }

    /// What `Retry-After` operations carry from now on; nothing for none.
    pub fn retry_after(&self, seconds: Option<u32>) {
        self.state().retry_after = seconds;
    }

    /// How the next operation ends whose request line contains this.
    pub fn next(&self, with: &str, outcome: Outcome) {
        self.state().outcomes.push_back((with.to_owned(), outcome));
    }

    /// How many resources a page of a listing has from now on.
    pub fn page(&self, resources: usize) {
        self.state().page = resources.max(1);
    }

    /// Makes `nextLink` name another host from now on, as a hostile answer would.
    pub fn foreign_links(&self, foreign: bool) {
        self.state().foreign_links = foreign;
    }
}

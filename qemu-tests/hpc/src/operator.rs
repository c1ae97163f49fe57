//! The operator's orders to the compute slices of a native machine, over the network.

use std::thread;
use std::time::Duration;

use compute_slice::operator::Orders;
use harness::operator::compute;
use harness::problem::Problem;
use sharedmem::mailbox::ComputeOrder;

/// Between two looks at a job.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The way to the monitor: the service of the machine whose port this is.
#[derive(Clone, Copy, Debug)]
pub struct NetworkOrders(pub u16);

impl Orders for NetworkOrders {
    type Error = Problem;

    fn give(&mut self, order: ComputeOrder, text: &str) -> Result<String, Problem> {
        let words = [order.name()].into_iter().chain(text.split_whitespace());
        let words: Vec<&[u8]> = words.map(str::as_bytes).collect();
        compute(self.0, &words)
    }

    fn error(&self, text: String) -> Problem {
        Problem::Failed(text)
    }
}

/// Waits between two looks at a job.
pub fn pause(_: &str) {
    thread::sleep(POLL_INTERVAL);
}

//! A list that grows and shrinks at both ends without ever moving more than one chunk.

use crate::sum::element_sum;
use alloc::collections::VecDeque;
use resp::{Bytes, heap_bytes};

/// Elements in a full chunk.
const CHUNK: usize = 128;
/// Memory of an element, in bytes, without what it has on the heap.
const ELEMENT_BYTES: u64 = 32;

/// A deque of chunks. Every chunk but the first and the last is full, so that an element's place can be computed.
#[derive(Default)]
pub struct List {
    chunks: VecDeque<VecDeque<Bytes>>,
    len: usize,
    elements_bytes: u64,
    /// The sum of the elements.
    sum: u64,
}

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its first element.
    Front,
    /// Its last element.
    Back,
}

impl List {
    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns an element.
    pub fn get(&self, index: usize) -> Option<&Bytes> {
        let first = self.chunks.front()?;
        match index.checked_sub(first.len()) {
            None => first.get(index),
            Some(behind) => self.chunks.get(1 + behind / CHUNK)?.get(behind % CHUNK),
        }
    }

    /// Returns an element, to be changed behind the back of the sum.
    #[cfg(feature = "testing")]
    pub fn get_mut(&mut self, mut index: usize) -> Option<&mut Bytes> {
        for chunk in &mut self.chunks {
            if index < chunk.len() {
                return chunk.get_mut(index);
            }
            index -= chunk.len();
        }
        None
    }

    /// Adds an element at one end.
    pub fn push(&mut self, end: End, element: Bytes) {
        self.len += 1;
        self.elements_bytes += ELEMENT_BYTES + heap_bytes(element.len());
        self.sum = self.sum.wrapping_add(element_sum(&element));
        let at_end = match end {
            End::Front => self.chunks.front_mut(),
            End::Back => self.chunks.back_mut(),
        };
        let chunk = match at_end {
            Some(chunk) if chunk.len() < CHUNK => chunk,
            Some(_) => self.add_chunk(end, VecDeque::with_capacity(CHUNK)),
            // Most lists are short, so the first chunk begins without memory.
            None => self.add_chunk(end, VecDeque::new()),
        };
        match end {
            End::Front => chunk.push_front(element),
            End::Back => chunk.push_back(element),
        }
    }

    /// Removes the element at one end.
    pub fn pop(&mut self, end: End) -> Option<Bytes> {
        let (element, is_empty) = match end {
            End::Front => {
                let chunk = self.chunks.front_mut()?;
                (chunk.pop_front()?, chunk.is_empty())
            }
            End::Back => {
                let chunk = self.chunks.back_mut()?;
                (chunk.pop_back()?, chunk.is_empty())
            }
        };
        if is_empty {
            match end {
                End::Front => self.chunks.pop_front(),
                End::Back => self.chunks.pop_back(),
            };
        }
        self.len -= 1;
        self.elements_bytes -= ELEMENT_BYTES + heap_bytes(element.len());
        self.sum = self.sum.wrapping_sub(element_sum(&element));
        Some(element)
    }

    /// Replaces an element that is there.
    pub fn set(&mut self, index: usize, element: Bytes) {
        let Some(first) = self.chunks.front_mut() else {
            return;
        };
        let slot = match index.checked_sub(first.len()) {
            None => first.get_mut(index),
            Some(behind) => {
                let chunk = self.chunks.get_mut(1 + behind / CHUNK);
                chunk.and_then(|chunk| chunk.get_mut(behind % CHUNK))
            }
        };
        if let Some(slot) = slot {
            self.sum = (self.sum).wrapping_add(element_sum(&element));
            self.elements_bytes += heap_bytes(element.len());
            let old = core::mem::replace(slot, element);
            self.sum = self.sum.wrapping_sub(element_sum(&old));
            self.elements_bytes -= heap_bytes(old.len());
        }
    }

    /// Inserts an element before the one at `index`, or at the end. Moves one element of each chunk behind it, and
    /// calls `step` for each.
    pub fn insert(&mut self, index: usize, element: Bytes, step: &mut dyn FnMut()) {
        let first = self.chunks.front().map_or(0, VecDeque::len);
        let (chunk, at) = match index.checked_sub(first) {
            _ if index >= self.len => return self.push(End::Back, element),
            None => (0, index),
            Some(behind) => (1 + behind / CHUNK, behind % CHUNK),
        };
        self.len += 1;
        self.elements_bytes += ELEMENT_BYTES + heap_bytes(element.len());
        self.sum = self.sum.wrapping_add(element_sum(&element));
        self.chunks[chunk].insert(at, element);
        for chunk in chunk..self.chunks.len() {
            step();
            if self.chunks[chunk].len() <= CHUNK {
                return;
            }
            let Some(carried) = self.chunks[chunk].pop_back() else {
                return;
            };
            match self.chunks.get_mut(chunk + 1) {
                Some(next) => next.push_front(carried),
                None => {
                    let next = self.add_chunk(End::Back, VecDeque::with_capacity(CHUNK));
                    next.push_back(carried);
                    return;
                }
            }
        }
    }

    /// Removes elements that equal `unwanted`, up to `removals_max`, beginning at one end. Calls `step` for each
    /// element. Returns how many it has removed.
    pub fn remove_all(
        &mut self,
        unwanted: &Bytes,
        end: End,
        removals_max: usize,
        step: &mut dyn FnMut(),
    ) -> usize {
        let mut old = core::mem::take(self);
        let mut removed = 0;
        let other = match end {
            End::Front => End::Back,
            End::Back => End::Front,
        };
        while let Some(element) = old.pop(end) {
            step();
            if removed < removals_max && element == *unwanted {
                removed += 1;
            } else {
                self.push(other, element);
            }
        }
        removed
    }

    /// Returns the elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter().flatten()
    }

    /// Takes the list apart, element by element.
    pub fn into_elements(self) -> impl Iterator<Item = Bytes> {
        self.chunks.into_iter().flatten()
    }

    /// Returns the memory of the elements, in bytes.
    pub fn elements_bytes(&self) -> u64 {
        self.elements_bytes
    }

    /// Returns the sum of the elements.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    fn add_chunk(&mut self, end: End, chunk: VecDeque<Bytes>) -> &mut VecDeque<Bytes> {
        let index = match end {
            End::Front => {
                self.chunks.push_front(chunk);
                0
            }
            End::Back => {
                self.chunks.push_back(chunk);
                self.chunks.len() - 1
            }
        };
        &mut self.chunks[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
        /// Compares a list with a plain deque. Runs of one operation are long enough to fill and to empty chunks.
        #[test]
        fn behaves_as_a_deque(runs in prop::collection::vec((0..6_u8, 0..300_usize), 1..12)) {
            let (mut list, mut model) = (List::default(), VecDeque::new());
            let mut next = 0_u32;
            for (operation, times) in runs {
                for _ in 0..times {
                    let element = Bytes::from_slice(&next.to_le_bytes());
                    next += 1;
                    match operation {
                        0 => { list.push(End::Front, element.clone()); model.push_front(element); }
                        1 => { list.push(End::Back, element.clone()); model.push_back(element); }
                        2 => prop_assert_eq!(list.pop(End::Front), model.pop_front()),
                        3 if !model.is_empty() => {
                            let index = next as usize * 7919 % model.len();
                            list.insert(index, element.clone(), &mut || ());
                            model.insert(index, element.clone());
                            let index = next as usize * 104_729 % model.len();
                            list.set(index, element.clone());
                            model[index] = element;
                        }
                        4 => {
                            let Some(unwanted) = model.back().cloned() else { continue };
                            let removed = list.remove_all(&unwanted, End::Back, 1, &mut || ());
                            prop_assert_eq!(removed, 1);
                            model.pop_back();
                        }
                        _ => prop_assert_eq!(list.pop(End::Back), model.pop_back()),
                    }
                }
                prop_assert_eq!(list.len(), model.len());
                let by_index: Vec<_> = (0..list.len()).filter_map(|index| list.get(index)).collect();
                prop_assert!(by_index.into_iter().eq(model.iter()));
                prop_assert!(list.iter().eq(model.iter()));
                prop_assert_eq!(list.get(list.len()), None);
                prop_assert_eq!(list.elements_bytes(), ELEMENT_BYTES * model.len() as u64);
                let sum = model.iter().fold(0, |sum: u64, element| sum.wrapping_add(element_sum(element)));
                prop_assert_eq!(list.sum(), sum);
            }
        }
    }
}

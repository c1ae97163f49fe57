//! Slices for computations, as the supervisor needs them.
//!
//! A slice's memory is in no page table but its own and, for its control block, the monitor's, in an entry that no
//! instance shares.

mod load;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use arch::paging::{PAGE_BYTES, Protection};
use compute_slice::{
    SLICE_CONTROL_BYTES, SliceArguments, SliceControl, SliceDeath, SliceEntry, SliceParameters,
    SliceState,
};
use partition::cmdline::Reset;
use partition::plan::{ComputeSlice, SLICE_REVISIONS, SliceLayout};
use partition::{Image, Plan};
use sharedmem::abi::{DIRECT_BASE, stack_top};
use sharedmem::hand_off::PhysicalRange;
use supervisor::{ComputeTenant, Ending, Kept, Order, ResultPiece, SliceView};

use crate::facts::BootFacts;
use crate::images::{BootArchive, Refusal};
use crate::ranges::physical;
use crate::window::{Window, Windows};
use load::Piece;

/// A slice.
struct Slice {
    facts: &'static BootFacts,
    windows: Windows,
    planned: &'static ComputeSlice,
    cores: Vec<u32>,
    range: PhysicalRange,
    /// Shows the control block, for ever.
    control: Window,
    /// What is run in it, as text.
    arguments: String,
    /// What an earlier boot left in it.
    kept: Option<(SliceParameters, Kept)>,
    /// The image, once it was loaded.
    loaded: Option<Loaded>,
}

/// An image in a slice. Ranks can change neither its code nor its page tables, so what they can change is all that is
/// copied again before the next entry, and that takes the same short time whatever the image and the slice.
struct Loaded {
    layout: SliceLayout,
    /// Physical address of the top page table.
    root: u64,
    entry: u64,
    writable: Vec<Piece<'static>>,
}

/// Makes the slices of the plan. One that cannot be looked at is named and left out.
pub fn slices(
    facts: &'static BootFacts,
    plan: &'static Plan,
    windows: Windows,
) -> Vec<Box<dyn ComputeTenant>> {
    let mut slices: Vec<Box<dyn ComputeTenant>> = Vec::new();
    for planned in &plan.compute {
        let range = physical(planned.range);
        let control = PhysicalRange {
            start: range.start,
            end: range.start + SLICE_CONTROL_BYTES,
        };
        // SAFETY: the plan gives the slice's memory to nobody else, and no rank runs. Ranks and monitor share the
        // control block by atomic words only.
        match unsafe { windows.open(control, Protection::ReadWrite) } {
            Ok(control) => {
                let mut slice = Slice {
                    facts,
                    windows,
                    planned,
                    cores: planned.cpus.iter().map(|cpu| cpu.number).collect(),
                    range,
                    control,
                    arguments: planned.clause.arguments.clone(),
                    kept: None,
                    loaded: None,
                };
                if plan.options.failover_reset == Reset::Auto {
                    slice.keep();
                }
                slices.push(Box::new(slice));
            }
            Err(error) => log::error!("slice {}: no page tables: {error:?}", planned.clause.name),
        }
    }
    slices
}

impl Slice {
    fn control(&self) -> &SliceControl {
        // SAFETY: the window shows the control block for as long as `self` lives; it holds atomic words only, for which
        // all bytes are valid.
        unsafe { SliceControl::at(self.control.at(self.range.start)) }
    }

    /// Returns what the control block says that the slice was entered with, if that can be true.
    fn parameters(&self) -> Option<SliceParameters> {
        self.control().check(self.range.len()).ok()
    }

    /// Keeps what an earlier boot left, if it was the same slice.
    fn keep(&mut self) {
        let control = self.control();
        let Some(parameters) = self.parameters() else {
            return;
        };
        let is_same = parameters.ranks == self.cores.len() as u64
            && control.hand_off.name.get().as_str() == self.planned.clause.name;
        if !is_same {
            log::warn!(
                "slice {}: what an earlier boot left there is not this slice's",
                self.planned.clause.name
            );
            return;
        }
        let ended = match control.status.state() {
            Some(SliceState::Finished) => Some(Ending::Finished),
            Some(SliceState::Failed) => Some(Ending::Failed),
            _ => None,
        };
        let arguments = control.hand_off.arguments.get().as_str().into();
        let kept = Kept {
            entries: parameters.generation,
            ended,
        };
        self.kept = Some((parameters, kept));
        self.arguments = arguments;
    }

    /// Loads the image, or of one that was loaded what ranks may have changed.
    fn load(&mut self, entry: SliceEntry) -> Result<&Loaded, Refusal> {
        if let Some(loaded) = &self.loaded {
            // SAFETY: the slice was laid out so for this image, and no rank runs.
            unsafe { load::copy(self.windows, &loaded.layout, &loaded.writable)? };
        } else {
            self.loaded = Some(self.load_whole(entry)?);
        }
        Ok(self.loaded.as_ref().expect("it was loaded just now"))
    }

    fn load_whole(&self, entry: SliceEntry) -> Result<Loaded, Refusal> {
        let archive = BootArchive::open(self.facts, self.windows)?;
        let (image, file) = Image::load_slice(&archive.files()?, &self.planned.clause.image)?;
        image.check_revisions(SLICE_REVISIONS)?;
        let ranks = self.cores.len() as u64;
        let slice = self.planned.range;
        let layout = SliceLayout::of(&image, ranks, slice)
            .map_err(|needed| Refusal::TooSmall(needed, slice.len()))?;
        if entry == SliceEntry::Resume
            && let Some((parameters, _)) = &self.kept
            && parameters.data_start != layout.data - self.range.start
        {
            return Err(Refusal::OtherData(
                parameters.data_start,
                layout.data - self.range.start,
            ));
        }
        let (pieces, start_page) = (Piece::of(&image, file), self.facts.start_page);
        // SAFETY: the plan gives the slice to nobody else, and no rank runs.
        let root = unsafe {
            load::copy(self.windows, &layout, &pieces)?;
            load::map(self.windows, &image, ranks, self.range, &layout, start_page)?
        };
        Ok(Loaded {
            layout,
            root,
            entry: image.entry,
            writable: Piece::kept(&pieces),
        })
    }
}

impl SliceView for Slice {
    fn state(&self) -> Option<SliceState> {
        self.control().status.state()
    }

    fn beats(&self) -> u64 {
        let ranks = self.parameters().map(|it| it.ranks).unwrap_or(0);
        let words = self.control().progress.iter().take(ranks as usize);
        words.fold(0, |sum, rank| sum.wrapping_add(rank.read().heartbeat))
    }

    fn committed(&self) -> Option<u64> {
        self.control().committed_step(&self.parameters()?)
    }
}

impl ComputeTenant for Slice {
    fn name(&self) -> &str {
        &self.planned.clause.name
    }

    fn cores(&self) -> &[u32] {
        &self.cores
    }

    fn stall_ns(&self) -> u64 {
        self.planned.clause.stall_ns
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.map(|(_, kept)| kept)
    }

    fn starts_at_boot(&self) -> bool {
        !self.planned.clause.image.is_empty()
    }

    fn set_arguments(&mut self, arguments: &str) -> Result<(), String> {
        if !SliceArguments::fits(arguments) {
            return Err("arguments are printable ASCII".into());
        }
        self.arguments = arguments.into();
        Ok(())
    }

    fn epitaph(&self) -> Option<SliceDeath> {
        self.control().epitaph.read()
    }

    fn exit_code(&self) -> Option<u8> {
        self.control().status.exit_code()
    }

    fn log(&self, position: u64, piece: &mut [u8]) -> (u64, usize) {
        self.control().log.copy_from(position, piece)
    }

    fn result(&self, name: &str, position: u64, piece: &mut [u8]) -> Result<ResultPiece, String> {
        let parameters = self.parameters().ok_or("it was never entered")?;
        let control = self.control();
        let mut results = control.results.read(&parameters);
        let result = results.find(|it| it.name.as_str() == name);
        let result = result.ok_or_else(|| format!("it has no result `{name}`"))?;
        let left = result.bytes.saturating_sub(position);
        let copied = left.min(piece.len() as u64) as usize;
        if copied == 0 {
            return Err(format!("`{name}` ends at {}", result.bytes));
        }
        let mut failed = None;
        let step = result.copy_committed(control, &parameters, |offset| {
            // The result lies within the slice, so this does not overflow.
            let start = self.range.start + offset + position;
            let range = PhysicalRange {
                start: start / PAGE_BYTES * PAGE_BYTES,
                end: (start + copied as u64).next_multiple_of(PAGE_BYTES),
            };
            // SAFETY: the slice's memory, which ranks may write meanwhile: so it is read as plain bytes, each once, and
            // counts only if the step was still committed afterwards.
            match unsafe { self.windows.open(range, Protection::ReadOnly) } {
                Ok(window) => {
                    for (index, byte) in piece[..copied].iter_mut().enumerate() {
                        // SAFETY: within the window, which shows all pages of the piece; `u8` may have any value.
                        *byte = unsafe { window.at(start).add(index).read_volatile() };
                    }
                }
                Err(error) => failed = Some(error),
            }
        });
        match (failed, step) {
            (Some(error), _) => Err(format!("no page tables: {error:?}")),
            (None, None) => Err("nothing is committed, or it was overwritten meanwhile".into()),
            (None, Some(step)) => Ok(ResultPiece {
                step,
                bytes: result.bytes,
                copied,
            }),
        }
    }

    fn prepare(&mut self, entry: SliceEntry, generation: u64) -> Result<Vec<(u32, Order)>, String> {
        if self.cores.is_empty() {
            return Err("none of its cores answers".into());
        }
        let loaded = self.load(entry).map_err(|refusal| refusal.to_string())?;
        let (data, root, image_entry) = (loaded.layout.data, loaded.root, loaded.entry);
        let parameters = SliceParameters {
            slice_bytes: self.range.len(),
            ranks: self.cores.len() as u64,
            generation,
            entry,
            data_start: data - self.range.start,
            tsc_hz: self.facts.frequencies.tsc_hz,
            tsc_at_boot: self.facts.tsc_at_boot,
        };
        self.control()
            .prepare(&parameters, &self.planned.clause.name, &self.arguments)
            .map_err(|error| format!("{error}"))?;
        let order = |(rank, core): (usize, &u32)| {
            let order = Order {
                page_table: root,
                entry: image_entry,
                stack_top: stack_top(rank),
                arguments: [DIRECT_BASE + self.range.start, rank as u64, generation],
            };
            (*core, order)
        };
        Ok(self.cores.iter().enumerate().map(order).collect())
    }
}

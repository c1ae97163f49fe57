//! Where things lie in a compute slice once its image is loaded, from its first byte on: control block, image, stacks,
//! page tables; then the data, from a large page's boundary to the end.

use alloc::format;
use alloc::string::{String, ToString};

use compute_slice::{SLICE_CONTROL_BYTES, SLICE_REVISION, SLICE_STACK_BYTES};
use sharedmem::Revisions;
use sharedmem::abi::{IMAGE_BASE, STACK_STRIDE};

use super::{ALIGN_BYTES, ComputeSlice};
use crate::cmdline::ComputeClause;
use crate::files::BootFiles;
use crate::image::Image;
use crate::range::Range;
use crate::refusal::Refusal;
use crate::size::SizeText;

/// What every compute image was built with.
pub const SLICE_REVISIONS: Revisions = Revisions {
    abi: SLICE_REVISION,
    journal: 0,
};

const PAGE_BYTES: u64 = 4096;

/// Page tables for whatever the size of the slice: the top table, and two levels below it for image, stacks, direct map
/// and start page.
const TABLE_PAGES: u64 = 24;

/// Where things are in a slice, in physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceLayout {
    /// Where the image begins.
    pub image: u64,
    /// Where the stacks of the ranks begin.
    pub stacks: u64,
    /// The page tables.
    pub tables: Range,
    /// Where the data begins.
    pub data: u64,
}

impl SliceLayout {
    /// Lays out a slice for `image` and this many ranks.
    ///
    /// # Errors
    /// It is too small: how many bytes are needed.
    pub fn of(image: &Image, ranks: u64, slice: Range) -> Result<Self, u64> {
        let ends = image.segments.iter().map(|it| it.pages().end - IMAGE_BASE);
        let image_bytes = ends.max().unwrap_or(0);
        let start = slice.start + SLICE_CONTROL_BYTES;
        let stacks = start + image_bytes;
        let tables = stacks + ranks * SLICE_STACK_BYTES;
        // One table for each 2 MiB of image and stacks, and for each GiB of the direct map.
        let small = image_bytes / ALIGN_BYTES + (ranks * STACK_STRIDE) / ALIGN_BYTES;
        let pages = TABLE_PAGES + small + slice.len() / (1 << 30);
        let tables_end = tables + pages * PAGE_BYTES;
        let data = tables_end.next_multiple_of(ALIGN_BYTES);
        // At least a large page of data.
        let needed = data + ALIGN_BYTES;
        if needed > slice.end {
            return Err(needed - slice.start);
        }
        Ok(Self {
            image: start,
            stacks,
            tables: Range::new(tables, tables_end),
            data,
        })
    }
}

impl ComputeSlice {
    /// Checks the image of the boot line as the boot does before it enters the slice. Returns a line for people; `None`
    /// if the image is loaded later.
    ///
    /// # Errors
    /// The image is missing, damaged, of another release, no compute image, or too large for the slice.
    pub(super) fn check_image(&self, files: &BootFiles<'_>) -> Result<Option<String>, Refusal> {
        let clause = &self.clause;
        if clause.image.is_empty() {
            return Ok(None);
        }
        let image = Image::load_slice(files, &clause.image).and_then(|(image, _)| {
            image.check_revisions(SLICE_REVISIONS)?;
            Ok(image)
        });
        let image = image
            .map_err(|error| clause.refuse(error.to_string(), "a compute image of this release"))?;
        let layout = SliceLayout::of(&image, self.cpus.len() as u64, self.range);
        let layout = layout.map_err(|needed_bytes| {
            let mut other = clause.clone();
            other.mem.size_bytes = needed_bytes.next_multiple_of(ALIGN_BYTES);
            let needed = SizeText(other.mem.size_bytes);
            clause.refuse_for(format!("with its image it takes {needed}"), Some(other))
        })?;
        let ComputeClause {
            name, image: path, ..
        } = clause;
        let data_kib = (self.range.end - layout.data) >> 10;
        Ok(Some(format!(
            "{path}: compute image {}, {} KiB, for slice {name}: {data_kib} KiB are left for data",
            image.version,
            image.size_bytes() >> 10,
        )))
    }
}

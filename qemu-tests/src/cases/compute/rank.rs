//! A compute image for tests: a computation that is simple enough to be repeated on the host, and that dies where it is
//! told to. Two ranks keep each other in step.

use compute_slice::{SLICE_NOTE_TYPE, SLICE_REVISION};
use sharedmem::abi::{IMAGE_BASE, NOTE_NAME};

/// What a rank computes, and where it dies.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Number of steps.
    pub steps: u64,
    /// Rounds of work in each of them.
    pub rounds: u64,
    /// How every rank dies in its step [`fault_step`](Self::fault_step), before it commits that.
    pub fault: Fault,
    /// In which step.
    pub fault_step: u64,
    /// In which entries: in this many, from the first one on.
    pub fault_entries: u64,
}

/// How a rank dies.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Not at all.
    None = 0,
    /// It says that it died, and stops.
    Dies = 1,
    /// It runs round and round.
    Hangs = 2,
    /// Its core stops.
    Halts = 3,
}

/// What a job without a fault exits with.
pub const EXIT_CODE: u8 = 7;

/// A rank's own data begins at so many bytes behind those of the rank before. It has two values: those of the last even
/// and of the last odd step.
pub const RANK_BYTES: u64 = 4096;

/// The factor of a round of work.
const FACTOR: u64 = 0x343fd;

/// The program, for any address. RDI is the control block, RSI the rank, RDX the generation.
#[rustfmt::skip]
const CODE: &[u8] = &[
    // RBX: control block. R15: generation. RBP: progress words. R9: own data. R13: step. R14: value. RDX: progress
    // words of the other rank, whose step before this one must be committed.
    0x48, 0x89, 0xfb, // mov rbx, rdi
    0x49, 0x89, 0xd7, // mov r15, rdx
    0x48, 0x89, 0xf0, // mov rax, rsi
    0x48, 0xc1, 0xe0, 0x07, // shl rax, 7
    0x48, 0x8d, 0xac, 0x07, 0x00, 0x05, 0x00, 0x00, // lea rbp, [rdi + rax + 0x500]
    0x4c, 0x8b, 0x47, 0x30, // mov r8, [rdi + 48]
    0x4e, 0x8d, 0x0c, 0x07, // lea r9, [rdi + r8]
    0x48, 0xc1, 0xe6, 0x0c, // shl rsi, 12
    0x49, 0x01, 0xf1, // add r9, rsi
    0x45, 0x31, 0xed, // xor r13d, r13d
    0x4c, 0x8d, 0x76, 0x01, // lea r14, [rsi + 1]
    0x48, 0x8b, 0x45, 0x08, // mov rax, [rbp + 8]
    0x48, 0x85, 0xc0, // test rax, rax
    0x74, 0x16, // jz 1f
    0x48, 0x89, 0xc1, // mov rcx, rax
    0x48, 0xc1, 0xe1, 0x10, // shl rcx, 16
    0x48, 0xc1, 0xe9, 0x10, // shr rcx, 16
    0x4c, 0x8d, 0x69, 0x01, // lea r13, [rcx + 1]
    0x83, 0xe1, 0x01, // and ecx, 1
    0x4d, 0x8b, 0x34, 0xc9, // mov r14, [r9 + rcx*8]
    0xb8, 0x01, 0x00, 0x00, 0x00, // 1: mov eax, 1
    0xb9, 0x02, 0x00, 0x00, 0x00, // mov ecx, 2
    0xf0, 0x48, 0x0f, 0xb1, 0x8b, 0x80, 0x02, 0x00, 0x00, // lock cmpxchg [rbx + 0x280], rcx
    0x48, 0x8b, 0x53, 0x18, // mov rdx, [rbx + 24]
    0x48, 0x89, 0xf0, // mov rax, rsi
    0x48, 0xc1, 0xe8, 0x0c, // shr rax, 12
    0x48, 0x29, 0xc2, // sub rdx, rax
    0x48, 0xc1, 0xe2, 0x07, // shl rdx, 7
    0x48, 0x8d, 0x94, 0x13, 0x80, 0x04, 0x00, 0x00, // lea rdx, [rbx + rdx + 0x480]
    0xf3, 0x90, // 2: pause
    0x48, 0x8b, 0x42, 0x08, // mov rax, [rdx + 8]
    0x48, 0x85, 0xc0, // test rax, rax
    0x74, 0x0b, // jz 8f
    0x48, 0xc1, 0xe0, 0x10, // shl rax, 16
    0x48, 0xc1, 0xe8, 0x10, // shr rax, 16
    0x48, 0xff, 0xc0, // inc rax
    0x4c, 0x39, 0xe8, // 8: cmp rax, r13
    0x72, 0xe5, // jb 2b
    0x4c, 0x3b, 0x2d, 0xbf, 0x00, 0x00, 0x00, // cmp r13, [rip + steps]
    0x0f, 0x83, 0x93, 0x00, 0x00, 0x00, // jae 7f
    0x4c, 0x89, 0x6d, 0x00, // mov [rbp], r13
    0x48, 0xff, 0x45, 0x10, // inc qword ptr [rbp + 16]
    0x48, 0x8b, 0x0d, 0xb2, 0x00, 0x00, 0x00, // mov rcx, [rip + work]
    0x4d, 0x69, 0xf6, 0xfd, 0x43, 0x03, 0x00, // 3: imul r14, r14, 0x343fd
    0x4d, 0x01, 0xee, // add r14, r13
    0x48, 0xff, 0xc9, // dec rcx
    0x75, 0xf1, // jnz 3b
    0x4c, 0x3b, 0x2d, 0xac, 0x00, 0x00, 0x00, // cmp r13, [rip + fault_step]
    0x75, 0x35, // jne 4f
    0x4c, 0x3b, 0x3d, 0xab, 0x00, 0x00, 0x00, // cmp r15, [rip + fault_entries]
    0x77, 0x2c, // ja 4f
    0x48, 0x8b, 0x05, 0x92, 0x00, 0x00, 0x00, // mov rax, [rip + fault]
    0x48, 0x83, 0xf8, 0x01, // cmp rax, 1
    0x74, 0x08, // je 5f
    0x48, 0x83, 0xf8, 0x02, // cmp rax, 2
    0x74, 0x17, // je 6f
    0xeb, 0x71, // jmp 9f
    0xb8, 0x02, 0x00, 0x00, 0x00, // 5: mov eax, 2
    0xb9, 0x05, 0x00, 0x00, 0x00, // mov ecx, 5
    0xf0, 0x48, 0x0f, 0xb1, 0x8b, 0x80, 0x02, 0x00, 0x00, // lock cmpxchg [rbx + 0x280], rcx
    0xeb, 0x5c, // jmp 9f
    0xeb, 0xfe, // 6: jmp 6b
    0x4c, 0x89, 0xe8, // 4: mov rax, r13
    0x83, 0xe0, 0x01, // and eax, 1
    0x4d, 0x89, 0x34, 0xc1, // mov [r9 + rax*8], r14
    0x49, 0x8d, 0x45, 0x01, // lea rax, [r13 + 1]
    0x49, 0xba, 0x15, 0x7c, 0x4a, 0x7f, 0xb9, 0x79, 0x37, 0x9e, // movabs r10, 0x9e3779b97f4a7c15
    0x49, 0x0f, 0xaf, 0xc2, // imul rax, r10
    0x48, 0xc1, 0xe8, 0x30, // shr rax, 48
    0x48, 0x83, 0xc8, 0x01, // or rax, 1
    0x48, 0xc1, 0xe0, 0x30, // shl rax, 48
    0x4c, 0x09, 0xe8, // or rax, r13
    0x48, 0x87, 0x45, 0x08, // xchg [rbp + 8], rax
    0x49, 0xff, 0xc5, // inc r13
    0xe9, 0x45, 0xff, 0xff, 0xff, // jmp 2b
    0x48, 0x85, 0xf6, // 7: test rsi, rsi
    0x75, 0x1e, // jnz 9f
    0x48, 0xc7, 0x83, 0x88, 0x02, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, // mov qword ptr [rbx + 0x288], 7
    0xb8, 0x02, 0x00, 0x00, 0x00, // mov eax, 2
    0xb9, 0x03, 0x00, 0x00, 0x00, // mov ecx, 3
    0xf0, 0x48, 0x0f, 0xb1, 0x8b, 0x80, 0x02, 0x00, 0x00, // lock cmpxchg [rbx + 0x280], rcx
    0xf4, // 9: hlt
    0xeb, 0xfd, // jmp 9b
];

/// The segment begins here in the file, behind the headers and the note.
const TEXT_OFFSET: usize = 0x1000;

impl Job {
    /// Returns the image.
    pub fn image(&self) -> Vec<u8> {
        let mut text = CODE.to_vec();
        text.resize(text.len().next_multiple_of(8), 0);
        let parameters = [
            self.steps,
            self.rounds,
            self.fault as u64,
            self.fault_step,
            self.fault_entries,
        ];
        text.extend(parameters.iter().flat_map(|word| word.to_le_bytes()));
        let mut note = Vec::new();
        let version = b"test";
        let name_bytes = NOTE_NAME.len() as u32 + 1;
        for word in [name_bytes, 8 + version.len() as u32, SLICE_NOTE_TYPE] {
            note.extend(word.to_le_bytes());
        }
        note.extend(NOTE_NAME.as_bytes());
        note.resize(12 + name_bytes.next_multiple_of(4) as usize, 0);
        note.extend(SLICE_REVISION.to_le_bytes());
        note.extend(0_u32.to_le_bytes());
        note.extend(version);
        elf(&text, &note)
    }

    /// Returns the value of a rank after its last step, as a computation without a death has it.
    pub fn value(&self, rank: u64) -> u64 {
        (0..self.steps).fold(rank * RANK_BYTES + 1, |value, step| {
            let round = |value: u64, _| value.wrapping_mul(FACTOR).wrapping_add(step);
            (0..self.rounds).fold(value, round)
        })
    }
}

/// Makes an executable of one segment with this text, and a note (System V ABI, 4 and 5).
fn elf(text: &[u8], note: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let words = |file: &mut Vec<u8>, words: &[u64]| {
        file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    };
    // 64 bits, little-endian; an executable for x86-64.
    file.extend(b"\x7fELF\x02\x01\x01");
    file.resize(16, 0);
    words(&mut file, &[0x1_003e_0002, IMAGE_BASE, 64, 0]);
    // No flags; sizes of this header and of a program header; two of those; no sections.
    words(&mut file, &[0x0038_0040_0000_0000, 0x0040_0002]);
    let (text_bytes, note_bytes) = (text.len() as u64, note.len() as u64);
    let note_offset = 64 + 2 * 56;
    // PT_LOAD, to be read and executed; PT_NOTE, to be read.
    let offset = TEXT_OFFSET as u64;
    words(
        &mut file,
        &[
            0x5_0000_0001,
            offset,
            IMAGE_BASE,
            IMAGE_BASE,
            text_bytes,
            text_bytes,
            4096,
        ],
    );
    words(
        &mut file,
        &[0x4_0000_0004, note_offset, 0, 0, note_bytes, note_bytes, 4],
    );
    file.extend(note);
    file.resize(TEXT_OFFSET, 0);
    file.extend(text);
    file
}

//! The functions of QEMU's plugin interface that are used here (QEMU's documentation, "QEMU TCG Plugins").

use std::ffi::{c_char, c_int, c_uint, c_void};

/// The plugin, as QEMU calls it.
pub type Id = u64;

/// What QEMU says of itself, which is not needed here.
#[repr(C)]
pub struct Info {
    target_name: *const c_char,
}

/// A block of instructions that is translated at once.
#[repr(C)]
pub struct TranslationBlock {
    opaque: [u8; 0],
}

/// An instruction of a block.
#[repr(C)]
pub struct Instruction {
    opaque: [u8; 0],
}

/// What is called when a block or an instruction is executed: with the CPU, and an argument.
pub type Callback = unsafe extern "C" fn(c_uint, *mut c_void);

/// A callback that looks at no registers.
pub const NO_REGISTERS: c_int = 0;

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(
        id: Id,
        callback: unsafe extern "C" fn(Id, *mut TranslationBlock),
    );
    pub fn qemu_plugin_tb_n_insns(block: *const TranslationBlock) -> usize;
    pub fn qemu_plugin_tb_get_insn(
        block: *const TranslationBlock,
        index: usize,
    ) -> *mut Instruction;
    pub fn qemu_plugin_insn_data(
        instruction: *const Instruction,
        data: *mut c_void,
        bytes: usize,
    ) -> usize;
    pub fn qemu_plugin_insn_haddr(instruction: *const Instruction) -> *mut c_void;
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut TranslationBlock,
        callback: Callback,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: Callback,
        flags: c_int,
        data: *mut c_void,
    );
}

//! The image of a Linux kernel: its setup header, as Linux' Documentation/arch/x86/boot.rst describes it.

use alloc::format;
use alloc::string::{String, ToString};

use super::LinuxError;

/// Offsets in the image.
const SETUP_SECTS: usize = 0x1f1;
const SYSSIZE: usize = 0x1f4;
const BOOT_FLAG: usize = 0x1fe;
const JUMP: usize = 0x200;
const MAGIC: usize = 0x202;
const PROTOCOL: usize = 0x206;
const KERNEL_VERSION: usize = 0x20e;
const INITRD_ADDR_MAX: usize = 0x22c;
const KERNEL_ALIGNMENT: usize = 0x230;
const RELOCATABLE: usize = 0x234;
const XLOADFLAGS: usize = 0x236;
const CMDLINE_SIZE: usize = 0x238;
const PREF_ADDRESS: usize = 0x258;
const INIT_SIZE: usize = 0x260;

const SECTOR_BYTES: usize = 512;

/// 2.12 brought `xloadflags`, by which a kernel says that it has a 64-bit entry.
const PROTOCOL_MIN: u16 = 0x020c;

const XLF_KERNEL_64: u16 = 1 << 0;

/// Kernel and initrd may be anywhere, whatever `initrd_addr_max` says to old boot loaders.
const XLF_CAN_BE_LOADED_ABOVE_4G: u16 = 1 << 1;

/// Where the 64-bit entry is, from the start of the protected-mode code.
pub const ENTRY_64: u64 = 0x200;

/// A kernel image that was found bootable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BzImage<'a> {
    bytes: &'a [u8],
    kernel_start: usize,
    kernel_end: usize,
    /// Bytes of memory the kernel needs from its load address on until it has its own memory management.
    pub init_size_bytes: u64,
    /// Its load address is a multiple of this.
    pub alignment_bytes: u64,
    /// Where it likes to be; it is relocatable.
    pub preferred_address: u64,
    /// Longest command line, without the closing zero.
    pub cmdline_max: usize,
    /// Highest address the initrd's last byte may have.
    pub initrd_last: u64,
    /// Its version, for people: `6.12.95+deb12-amd64 (...)`.
    pub version: String,
}

impl BzImage<'_> {
    /// Returns its release, the first word of its version: `6.12.95+deb12-amd64`.
    pub fn release(&self) -> &str {
        self.version.split(' ').next().unwrap_or_default()
    }
}

impl<'a> BzImage<'a> {
    /// Reads and checks an image.
    ///
    /// # Errors
    /// What is wrong with it, or why it cannot be booted.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LinuxError> {
        let field = |offset| {
            move |name: &str| LinuxError::Image(format!("cut off before {name} at {offset:#x}"))
        };
        let u8_at = |offset: usize, name| {
            bytes
                .get(offset)
                .copied()
                .ok_or_else(|| field(offset)(name))
        };
        let u16_at = |offset: usize, name| {
            number::<2>(bytes, offset)
                .map(u16::from_le_bytes)
                .ok_or_else(|| field(offset)(name))
        };
        let u32_at = |offset: usize, name| {
            number::<4>(bytes, offset)
                .map(u32::from_le_bytes)
                .ok_or_else(|| field(offset)(name))
        };
        let u64_at = |offset: usize, name| {
            number::<8>(bytes, offset)
                .map(u64::from_le_bytes)
                .ok_or_else(|| field(offset)(name))
        };

        if u16_at(BOOT_FLAG, "boot_flag")? != 0xaa55
            || u32_at(MAGIC, "header")? != u32::from_le_bytes(*b"HdrS")
        {
            return Err(LinuxError::Image("no setup header".to_string()));
        }
        let protocol = u16_at(PROTOCOL, "version")?;
        if protocol < PROTOCOL_MIN {
            return Err(LinuxError::Unsuited(format!(
                "boot protocol {}.{:02}, at least 2.12 is needed (Linux 3.8 or newer)",
                protocol >> 8,
                protocol & 0xff
            )));
        }
        let loadflags = u16_at(XLOADFLAGS, "xloadflags")?;
        if loadflags & XLF_KERNEL_64 == 0 {
            return Err(LinuxError::Unsuited(
                "it has no 64-bit entry; take a 64-bit kernel".to_string(),
            ));
        }
        if u8_at(RELOCATABLE, "relocatable_kernel")? == 0 {
            return Err(LinuxError::Unsuited(
                "it is not relocatable (CONFIG_RELOCATABLE)".to_string(),
            ));
        }
        let alignment_bytes = u64::from(u32_at(KERNEL_ALIGNMENT, "kernel_alignment")?);
        if !alignment_bytes.is_power_of_two() || alignment_bytes > 1 << 30 {
            return Err(LinuxError::Image(format!(
                "kernel_alignment is {alignment_bytes:#x}"
            )));
        }
        // 0 stands for 4, for the oldest ones (boot.rst).
        let sectors = match u8_at(SETUP_SECTS, "setup_sects")? {
            0 => 4,
            sectors => usize::from(sectors),
        };
        let kernel_start = (sectors + 1) * SECTOR_BYTES;
        let kernel_bytes = u64::from(u32_at(SYSSIZE, "syssize")?) * 16;
        let there_bytes = bytes.len().saturating_sub(kernel_start) as u64;
        // syssize is rounded up to 16 bytes.
        if kernel_bytes <= ENTRY_64 || there_bytes + 15 < kernel_bytes {
            return Err(LinuxError::Image(format!(
                "cut off: it should have {} bytes and has {}",
                kernel_start as u64 + kernel_bytes,
                bytes.len()
            )));
        }
        let init_size_bytes = u64::from(u32_at(INIT_SIZE, "init_size")?);
        if init_size_bytes < kernel_bytes {
            return Err(LinuxError::Image(format!(
                "init_size is {init_size_bytes:#x}, less than the kernel itself"
            )));
        }
        let initrd_last = match loadflags & XLF_CAN_BE_LOADED_ABOVE_4G {
            0 => u32_at(INITRD_ADDR_MAX, "initrd_addr_max")?,
            _ => u32::MAX,
        };
        Ok(Self {
            bytes,
            kernel_start,
            kernel_end: bytes.len().min(kernel_start + kernel_bytes as usize),
            init_size_bytes,
            alignment_bytes,
            preferred_address: u64_at(PREF_ADDRESS, "pref_address")?,
            cmdline_max: u32_at(CMDLINE_SIZE, "cmdline_size")? as usize,
            initrd_last: initrd_last.into(),
            version: version(
                bytes,
                usize::from(u16_at(KERNEL_VERSION, "kernel_version")?),
            ),
        })
    }

    /// Returns the protected-mode code: what is put at the load address.
    pub fn kernel(&self) -> &'a [u8] {
        &self.bytes[self.kernel_start..self.kernel_end]
    }

    /// Returns the setup header, which goes into the boot parameters at the same offset: the offset, and the bytes. It
    /// ends where the jump at its start goes (boot.rst: "0x0202 + byte value at offset 0x0201").
    pub fn setup_header(&self) -> (usize, &'a [u8]) {
        let end = MAGIC + usize::from(self.bytes[JUMP + 1]);
        let end = end.clamp(INIT_SIZE + 4, self.kernel_start);
        (SETUP_SECTS, &self.bytes[SETUP_SECTS..end])
    }
}

fn number<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Returns the version string; its place is given less 0x200. A kernel without one is not worse for it.
fn version(bytes: &[u8], place: usize) -> String {
    let text = bytes.get(place + 0x200..).unwrap_or_default();
    let text = &text[..text.len().min(128)];
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    match text.iter().all(printable) && !text.is_empty() {
        true => String::from_utf8_lossy(text).into_owned(),
        false => "unknown".to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Makes a kernel of 64 KiB that needs 1 MiB.
    pub(crate) fn synthetic() -> Vec<u8> {
        let mut bytes = vec![0x90; 5 * SECTOR_BYTES + (64 << 10)];
        bytes[..5 * SECTOR_BYTES].fill(0);
        let mut put = |offset: usize, value: &[u8]| {
            bytes[offset..offset + value.len()].copy_from_slice(value)
        };
        put(SETUP_SECTS, &[4]);
        put(SYSSIZE, &(4096_u32).to_le_bytes());
        put(BOOT_FLAG, &[0x55, 0xaa]);
        put(JUMP, &[0xeb, 0x6a]);
        put(MAGIC, b"HdrS");
        put(PROTOCOL, &0x020f_u16.to_le_bytes());
        put(KERNEL_VERSION, &0x200_u16.to_le_bytes());
        put(0x400, b"6.1.0-test (us)\0");
        put(INITRD_ADDR_MAX, &0x7fff_ffff_u32.to_le_bytes());
        put(KERNEL_ALIGNMENT, &0x20_0000_u32.to_le_bytes());
        put(RELOCATABLE, &[1]);
        put(XLOADFLAGS, &0x7f_u16.to_le_bytes());
        put(CMDLINE_SIZE, &2047_u32.to_le_bytes());
        put(PREF_ADDRESS, &0x100_0000_u64.to_le_bytes());
        put(INIT_SIZE, &0x10_0000_u32.to_le_bytes());
        bytes
    }

    fn refused(offset: usize, value: &[u8]) -> String {
        let mut bytes = synthetic();
        bytes[offset..offset + value.len()].copy_from_slice(value);
        BzImage::parse(&bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_sound_image_is_read() {
        let bytes = synthetic();
        let image = BzImage::parse(&bytes).unwrap();
        assert_eq!(image.kernel().len(), 64 << 10);
        assert!(image.kernel().iter().all(|byte| *byte == 0x90));
        assert_eq!(image.version, "6.1.0-test (us)");
        assert_eq!(
            (
                image.init_size_bytes,
                image.alignment_bytes,
                image.cmdline_max
            ),
            (1 << 20, 2 << 20, 2047)
        );
        assert_eq!(
            (image.preferred_address, image.initrd_last),
            (16 << 20, 0xffff_ffff)
        );
        let mut old = bytes.clone();
        old[XLOADFLAGS] = 1;
        assert_eq!(BzImage::parse(&old).unwrap().initrd_last, 0x7fff_ffff);
        let (offset, header) = image.setup_header();
        assert_eq!((offset, offset + header.len()), (0x1f1, 0x26c));
    }

    #[test]
    fn what_cannot_be_booted_is_refused_by_name() {
        assert!(refused(MAGIC, b"XXXX").ends_with("no setup header"));
        assert!(refused(PROTOCOL, &[0x0a, 2]).contains("boot protocol 2.10"));
        assert!(refused(XLOADFLAGS, &[0, 0]).contains("no 64-bit entry"));
        assert!(refused(RELOCATABLE, &[0]).contains("not relocatable"));
        assert!(refused(KERNEL_ALIGNMENT, &[3]).contains("kernel_alignment"));
        assert!(refused(INIT_SIZE, &[0; 4]).contains("init_size"));
        assert!(refused(SYSSIZE, &[0; 4]).contains("cut off"));
    }

    #[test]
    fn a_cut_image_is_refused_with_both_sizes() {
        let bytes = synthetic();
        let text = BzImage::parse(&bytes[..bytes.len() - 16])
            .unwrap_err()
            .to_string();
        assert!(
            text.ends_with("it should have 68096 bytes and has 68080"),
            "{text}"
        );
        for length in [0, 0x1ff, 0x263, 2000] {
            assert!(matches!(
                BzImage::parse(&bytes[..length]),
                Err(LinuxError::Image(_))
            ));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            noise in prop::collection::vec((0_usize..0x280, any::<u8>()), 0..40), length in 0_usize..70_000,
        ) {
            let mut bytes = synthetic();
            for (offset, value) in noise {
                bytes[offset] = value;
            }
            bytes.truncate(length);
            if let Ok(image) = BzImage::parse(&bytes) {
                prop_assert!(image.kernel().len() as u64 <= image.init_size_bytes);
                let header_bytes = image.setup_header().1.len();
                prop_assert!(header_bytes < 4096 - 0x1f1 || header_bytes <= bytes.len());
            }
        }
    }
}

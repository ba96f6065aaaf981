//! The kernel inside a bzImage: release and uncompressed vmlinux, by the x86 boot protocol.
//!
//! Source: Documentation/arch/x86/boot.rst. QEMU boots the ELF file directly (PVH), which saves
//! the guest from decompressing itself under emulation.

use std::io::Read;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::trail::is_release;
use crate::{arch, bound};

const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const KERNEL_VERSION: usize = 0x20e;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The release in the header, such as `6.12.107+deb13-cloud-amd64`.
///
/// # Errors
///
/// The bytes are no bzImage.
pub fn release(image: &[u8]) -> Result<String> {
    check(image)?;
    let start = usize::from(number::<2>(image, KERNEL_VERSION)? as u16) + 0x200;
    let text = image
        .get(start..)
        .context("the image is truncated before its version")?;
    let text: Vec<u8> = text
        .iter()
        .copied()
        .take_while(|byte| *byte != 0 && *byte != b' ')
        .collect();
    let text = String::from_utf8(text).ok().filter(|text| is_release(text));
    text.context("the version in the image's header is not a kernel release")
}

/// The uncompressed kernel, an ELF file.
///
/// # Errors
///
/// The bytes are no bzImage, are truncated, or are compressed in a way that is not known.
pub fn vmlinux(image: &[u8]) -> Result<Vec<u8>> {
    check(image)?;
    let sectors = match image.get(SETUP_SECTORS) {
        Some(0) | None => 4,
        Some(sectors) => usize::from(*sectors),
    };
    let start = (sectors + 1) * 512 + number::<4>(image, PAYLOAD_OFFSET)?;
    let length = number::<4>(image, PAYLOAD_LENGTH)?;
    let Some(payload) = image.get(start..start + length) else {
        bail!(
            "the image is truncated: its header asks for {} bytes, it has {}",
            start + length,
            image.len()
        );
    };
    let kernel = decompress(payload)?;
    if !kernel.starts_with(b"\x7fELF") {
        bail!("what the image holds is not an ELF file");
    }
    Ok(kernel)
}

/// The release in an uncompressed kernel, from its banner ("Linux version ...").
///
/// # Errors
///
/// There is no banner: it is not a kernel.
pub fn banner_release(vmlinux: &[u8]) -> Result<String> {
    const BANNER: &[u8] = b"Linux version ";
    let mut banners = vmlinux
        .windows(BANNER.len())
        .enumerate()
        .filter(|(_, w)| *w == BANNER);
    let release = banners.find_map(|(at, _)| {
        let text = vmlinux
            .get(at + BANNER.len()..)?
            .iter()
            .take_while(|byte| **byte > b' ');
        let text: Vec<u8> = text.copied().collect();
        String::from_utf8(text)
            .ok()
            .filter(|text| is_release(text) && text.starts_with(|c: char| c.is_ascii_digit()))
    });
    release.context("it is an ELF file without a kernel's banner")
}

/// Refuses a kernel of another architecture than x86-64, and one that is cut.
///
/// # Errors
///
/// What it is instead, or by how much it is cut.
pub fn check_machine(vmlinux: &[u8]) -> Result<()> {
    let header =
        goblin::elf::Elf::parse_header(vmlinux).context("the kernel is not an ELF file")?;
    if header.e_machine != arch::ELF {
        bail!(
            "the kernel is for {}, only {} boots here",
            goblin::elf::header::machine_to_str(header.e_machine),
            arch::NAME
        );
    }
    // Its words have those of its cause in them already.
    let elf = goblin::elf::Elf::parse(vmlinux)
        .map_err(|error| anyhow!("the kernel is truncated or damaged: {error}"))?;
    let headers = elf.program_headers.iter();
    let end = headers.map(|header| header.p_offset.saturating_add(header.p_filesz));
    let end = end.max().unwrap_or(0);
    if end > vmlinux.len() as u64 {
        bail!(
            "the kernel is truncated: its headers ask for {end} bytes, it has {}",
            vmlinux.len()
        );
    }
    Ok(())
}

/// The configuration that a kernel carries in itself (CONFIG_IKCONFIG, kernel/configs.c).
///
/// # Errors
///
/// It is larger than any configuration.
pub fn config(vmlinux: &[u8]) -> Result<Option<String>> {
    const START: &[u8] = b"IKCFG_ST";
    let found = vmlinux
        .windows(START.len())
        .position(|window| window == START);
    let Some(packed) = found.and_then(|at| vmlinux.get(at + START.len()..)) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(packed)
        .take(bound::CONFIG + 1)
        .read_to_end(&mut text);
    bound::check(text.len() as u64, bound::CONFIG)
        .context("the kernel's configuration is refused")?;
    // What is damaged is none, and the needs are judged without it.
    Ok(unpacked.ok().and_then(|_| String::from_utf8(text).ok()))
}

fn check(image: &[u8]) -> Result<()> {
    // Documentation/arch/arm64/booting.rst and Documentation/arch/riscv/boot-image-header.rst.
    let other = match image.get(0x38..0x3c) {
        Some(b"ARM\x64") => Some("arm64"),
        Some(b"RSC\x05") => Some("RISC-V"),
        _ => None,
    };
    if let Some(other) = other {
        bail!("the kernel is for {other}, only {} boots here", arch::NAME);
    }
    if image.is_empty() {
        bail!("this is no kernel: it is empty");
    }
    if image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        bail!(
            "this is neither a bzImage, whose setup header (HdrS) it lacks, nor a vmlinux, a build tree or a Debian package"
        );
    }
    Ok(())
}

fn number<const BYTES: usize>(image: &[u8], at: usize) -> Result<usize> {
    let bytes = image
        .get(at..at + BYTES)
        .context("the image is truncated in its header")?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | usize::from(*byte)))
}

/// Undoes the kernel's compression; the last four bytes of a payload are its size, not data.
///
/// No more than a byte beyond that size, which has a limit, is decompressed.
fn decompress(payload: &[u8]) -> Result<Vec<u8>> {
    if payload.starts_with(b"\x7fELF") {
        return Ok(payload.to_vec());
    }
    let (data, size) = payload.split_at(payload.len().saturating_sub(4));
    let size = size
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    bound::check(size, bound::FILE).context("the kernel is refused")?;
    let kernel = match payload {
        [0x1f, 0x8b, ..] => read(flate2::read::GzDecoder::new(payload), size),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => read(bound::xz(data)?, size),
        [0x02, 0x21, 0x4c, 0x18, ..] => read(lz4_flex::frame::FrameDecoder::new(data), size),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(data)
                .map_err(|error| anyhow::anyhow!("failed to decompress the kernel: {error}"))?;
            read(decoder, size)
        }
        _ => bail!("the kernel is compressed in an unknown way (known: gzip, xz, lz4, zstd)"),
    }?;
    let length = kernel.len() as u64;
    if length > size {
        bail!("the kernel decompresses to more than the {size} bytes that its size says");
    }
    if length < size {
        bail!("the kernel decompresses to {length} bytes, its size says {size}");
    }
    Ok(kernel)
}

/// Reads one byte more than there should be, so that it is seen.
fn read(decoder: impl Read, size: u64) -> Result<Vec<u8>> {
    let mut kernel = Vec::new();
    decoder
        .take(size.saturating_add(1))
        .read_to_end(&mut kernel)
        .context("failed to decompress the kernel")?;
    Ok(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage whose payload is this; one setup sector.
    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[KERNEL_VERSION] = 0x80;
        image[0x280..0x288].copy_from_slice(b"6.1.2 (x");
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4]
            .copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzEncoder::new(bytes, flate2::Compression::fast())
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    #[test]
    fn the_release_is_read_from_the_header() {
        assert_eq!(release(&image(b"")).unwrap(), "6.1.2");
    }

    #[test]
    fn the_payload_is_decompressed() {
        assert_eq!(
            vmlinux(&image(&gzip(b"\x7fELF kernel"))).unwrap(),
            b"\x7fELF kernel"
        );
    }

    #[test]
    fn a_truncated_image_is_an_error_that_says_by_how_much() {
        let whole = image(&gzip(b"\x7fELF kernel"));
        let error = vmlinux(&whole[..whole.len() - 1]).unwrap_err().to_string();
        assert!(
            error.starts_with("the image is truncated: its header asks for 10"),
            "{error}"
        );
    }

    #[test]
    fn the_banner_of_a_vmlinux_gives_its_release() {
        let vmlinux = b"\x7fELF Linux version %s (x) Linux version 7.1.0-rc2 (root@x)";
        assert_eq!(banner_release(vmlinux).unwrap(), "7.1.0-rc2");
    }

    #[test]
    fn a_configuration_inside_the_kernel_is_found() {
        let kernel = [
            b"\x7fELF IKCFG_ST",
            gzip(b"CONFIG_A=y\n").as_slice(),
            b"IKCFG_ED",
        ]
        .concat();
        assert_eq!(config(&kernel).unwrap().unwrap(), "CONFIG_A=y\n");
    }

    #[test]
    fn a_configuration_without_end_is_an_error_that_names_the_limit() {
        let bomb = gzip(&vec![b'#'; usize::try_from(bound::CONFIG).unwrap() + 1]);
        let error = config(&[b"\x7fELF IKCFG_ST", bomb.as_slice()].concat()).unwrap_err();
        assert!(
            format!("{error:#}").contains("limit of 16 MiB"),
            "{error:#}"
        );
    }

    #[test]
    fn a_payload_that_says_it_is_huge_is_an_error_that_names_the_limit() {
        let mut packed = gzip(b"\x7fELF kernel");
        let end = packed.len();
        packed[end - 4..].copy_from_slice(&(3_u32 << 30).to_le_bytes());
        let error = format!("{:#}", vmlinux(&image(&packed)).unwrap_err());
        assert!(
            error.contains("larger than the limit of 512 MiB"),
            "{error}"
        );
    }

    #[test]
    fn a_payload_that_holds_more_than_it_says_is_not_unpacked_further() {
        let payload = [b"\x7fELF".as_slice(), &[0; 1 << 20]].concat();
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(payload.as_slice(), 0)
            .read_to_end(&mut packed)
            .unwrap();
        packed.extend_from_slice(&100_u32.to_le_bytes());
        let error = format!("{:#}", vmlinux(&image(&packed)).unwrap_err());
        assert!(error.contains("more than the 100 bytes"), "{error}");
        assert!(read(std::io::repeat(0), 100).unwrap().len() == 101);
    }

    #[test]
    fn something_else_is_no_image() {
        assert!(
            vmlinux(b"MZ")
                .unwrap_err()
                .to_string()
                .contains("neither a bzImage")
        );
    }

    #[test]
    fn a_payload_that_is_no_kernel_is_refused() {
        assert!(
            vmlinux(&image(&gzip(b"text")))
                .unwrap_err()
                .to_string()
                .contains("not an ELF")
        );
    }
}

//! What is in a file, as far as the kernel and the loader look.

use goblin::elf::header::{header32, header64};
use goblin::elf::program_header::{program_header32, program_header64};
use goblin::elf::{dynamic, header, program_header};
use serde::{Deserialize, Serialize};

use crate::arch;

/// How much of a file the kernel reads before it decides what it is: `BINPRM_BUF_SIZE`.
pub const HEAD: usize = 256;
/// Longest interpreter that an ELF file may name, with its NUL: `PATH_MAX`.
const PATH_MAX: u64 = 4096;

/// Size of a page.
pub(super) const PAGE: u64 = 4096;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// How long it is, in bytes.
    pub size: u64,
    /// Its first [`HEAD`] bytes, filled up with zeros.
    #[serde(with = "packed")]
    pub head: Vec<u8>,
    /// What its ELF headers say; none where it does not begin like an ELF file.
    pub elf: Option<ElfHeaders>,
}

/// The head as text, without the zeros at its end.
mod packed {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(head: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let end = head.iter().rposition(|byte| *byte != 0);
        let head = &head[..end.map_or(0, |end| end + 1)];
        serializer.serialize_str(&BASE64.encode(head))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut head = BASE64.decode(text).map_err(serde::de::Error::custom)?;
        head.resize(super::HEAD, 0);
        Ok(head)
    }
}

/// What the headers of an ELF file say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfHeaders {
    /// `e_type`.
    pub kind: u16,
    /// `e_machine`.
    pub machine: u16,
    /// The program headers are as long as they must be, and all there.
    pub headers: bool,
    /// How many bytes they take.
    pub table: u64,
    /// The first `PT_INTERP`.
    pub interpreter: Option<Interpreter>,
    /// No segment is at an address that a process cannot have.
    pub addresses: bool,
    /// How many pages the segments that are loaded take; none where nothing is loaded.
    pub pages: u64,
    /// There is a dynamic section.
    pub dynamic: bool,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_RUNPATH`.
    pub runpath: Option<String>,
    /// `DT_RPATH`.
    pub rpath: Option<String>,
}

/// What a `PT_INTERP` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpreter {
    /// A path.
    Path(String),
    /// Too short, too long or without a NUL at its end: `load_elf_binary` says ENOEXEC.
    Malformed,
    /// It lies after the end of the file: `elf_read` says EIO (EINVAL where its offset is no position in a file).
    Cut,
}

/// Where the bytes of a file come from: only a few pieces of it are read.
pub trait Bytes {
    /// How many there are.
    fn size(&self) -> u64;
    /// A piece; none when it is not there in whole.
    fn piece(&self, offset: u64, size: u64) -> Option<Vec<u8>>;
}

impl Bytes for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn piece(&self, offset: u64, size: u64) -> Option<Vec<u8>> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        self.get(start..end).map(<[u8]>::to_vec)
    }
}

impl Image {
    /// Looks at a file.
    #[must_use]
    pub fn of<B: Bytes + ?Sized>(bytes: &B) -> Image {
        let size = bytes.size();
        let mut head = bytes.piece(0, size.min(HEAD as u64)).unwrap_or_default();
        head.resize(HEAD, 0);
        let elf = head.starts_with(header::ELFMAG).then(|| elf(bytes, &head));
        Image { size, head, elf }
    }
}

impl ElfHeaders {
    /// Whether it can be executed: `ET_EXEC` or `ET_DYN`.
    #[must_use]
    pub fn is_program(&self) -> bool {
        matches!(self.kind, header::ET_EXEC | header::ET_DYN)
    }

    /// Whether a kernel of ours has a handler for it, with `CONFIG_IA32_EMULATION`.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self.machine, arch::ELF | arch::ELF_NARROW)
    }

    /// Whether it is for 32 bits.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.machine == arch::ELF_NARROW
    }
}

/// Bytes as goblin wants to have them: a header that lies anywhere else makes it panic.
#[repr(align(8))]
struct Aligned<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> Aligned<SIZE> {
    /// The first bytes of a head.
    fn of(head: &[u8]) -> Aligned<SIZE> {
        let mut own = Aligned([0; SIZE]);
        own.0.copy_from_slice(&head[..SIZE]);
        own
    }
}

/// A program header of either width.
struct Segment {
    kind: u32,
    offset: u64,
    size: u64,
    address: u64,
    memory: u64,
}

/// How many bytes the program headers take.
fn size_of_table(machine: u16, wide: &header64::Header, head: &[u8]) -> u64 {
    let (size, count) = match machine {
        header::EM_386 => {
            let fixed = Aligned::of(head);
            let header = header32::Header::from_bytes(&fixed.0);
            (header.e_phentsize, header.e_phnum)
        }
        _ => (wide.e_phentsize, wide.e_phnum),
    };
    u64::from(size) * u64::from(count)
}

impl Segment {
    /// How many pages it takes in memory.
    fn pages(&self) -> u64 {
        let begin = self.address % PAGE;
        begin.saturating_add(self.memory).div_ceil(PAGE)
    }
}

fn elf<B: Bytes + ?Sized>(bytes: &B, head: &[u8]) -> ElfHeaders {
    let fixed = Aligned::of(head);
    let wide = header64::Header::from_bytes(&fixed.0);
    // Type and machine stand at the same place in both widths.
    let (kind, machine) = (wide.e_type, wide.e_machine);
    let segments = match machine {
        header::EM_386 => narrow_segments(bytes, head),
        _ => wide_segments(bytes, wide),
    };
    let mut elf = ElfHeaders {
        kind,
        machine,
        headers: segments.is_some(),
        table: size_of_table(machine, wide, head),
        interpreter: None,
        addresses: true,
        pages: 0,
        dynamic: false,
        needed: Vec::new(),
        soname: None,
        runpath: None,
        rpath: None,
    };
    let segments = segments.unwrap_or_default();
    let named = segments
        .iter()
        .find(|segment| segment.kind == program_header::PT_INTERP);
    elf.interpreter = named.map(|segment| interpreter(bytes, segment));
    let mut loads = segments
        .iter()
        .filter(|segment| segment.kind == program_header::PT_LOAD);
    elf.addresses = loads.all(|load| {
        let end = load.address.checked_add(load.memory);
        end.is_some_and(|end| end <= arch::END_OF_ADDRESSES)
    });
    let loads = segments
        .iter()
        .filter(|segment| segment.kind == program_header::PT_LOAD);
    // A header may say anything.
    elf.pages = loads.map(Segment::pages).fold(0, u64::saturating_add);
    libraries(bytes, &segments, machine, &mut elf);
    elf
}

fn wide_segments<B: Bytes + ?Sized>(bytes: &B, header: &header64::Header) -> Option<Vec<Segment>> {
    let (size, count) = (usize::from(header.e_phentsize), usize::from(header.e_phnum));
    if size != program_header64::SIZEOF_PHDR || count == 0 {
        return None;
    }
    let table = bytes.piece(header.e_phoff, (size * count) as u64)?;
    let segment = |entry: &[u8]| {
        let fixed = Aligned::<{ program_header64::SIZEOF_PHDR }>::of(entry);
        let header = &program_header64::ProgramHeader::from_bytes(&fixed.0, 1)[0];
        Segment {
            kind: header.p_type,
            offset: header.p_offset,
            size: header.p_filesz,
            address: header.p_vaddr,
            memory: header.p_memsz,
        }
    };
    Some(table.chunks_exact(size).map(segment).collect())
}

fn narrow_segments<B: Bytes + ?Sized>(bytes: &B, head: &[u8]) -> Option<Vec<Segment>> {
    let fixed = Aligned::of(head);
    let header = header32::Header::from_bytes(&fixed.0);
    let (size, count) = (usize::from(header.e_phentsize), usize::from(header.e_phnum));
    if size != program_header32::SIZEOF_PHDR || count == 0 {
        return None;
    }
    let table = bytes.piece(header.e_phoff.into(), (size * count) as u64)?;
    let segment = |entry: &[u8]| {
        let fixed = Aligned::<{ program_header32::SIZEOF_PHDR }>::of(entry);
        let header = &program_header32::ProgramHeader::from_bytes(&fixed.0, 1)[0];
        Segment {
            kind: header.p_type,
            offset: header.p_offset.into(),
            size: header.p_filesz.into(),
            address: header.p_vaddr.into(),
            memory: header.p_memsz.into(),
        }
    };
    Some(table.chunks_exact(size).map(segment).collect())
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

fn interpreter<B: Bytes + ?Sized>(bytes: &B, segment: &Segment) -> Interpreter {
    if !(2..=PATH_MAX).contains(&segment.size) {
        return Interpreter::Malformed;
    }
    match bytes.piece(segment.offset, segment.size) {
        None => Interpreter::Cut,
        Some(path) if path.last() != Some(&0) => Interpreter::Malformed,
        Some(path) => Interpreter::Path(text(&path)),
    }
}

/// Reads what the loader asks the dynamic section.
fn libraries<B: Bytes + ?Sized>(
    bytes: &B,
    segments: &[Segment],
    machine: u16,
    elf: &mut ElfHeaders,
) {
    let word = if machine == header::EM_386 { 4 } else { 8 };
    let section = segments
        .iter()
        .find(|segment| segment.kind == program_header::PT_DYNAMIC)
        .and_then(|segment| bytes.piece(segment.offset, segment.size));
    let Some(section) = section else { return };
    elf.dynamic = true;
    let number = |bytes: &[u8]| {
        let mut wide = [0; 8];
        wide[..word].copy_from_slice(bytes);
        u64::from_le_bytes(wide)
    };
    let entries = section
        .chunks_exact(2 * word)
        .map(|entry| (number(&entry[..word]), number(&entry[word..])));
    let entries: Vec<_> = entries.take_while(|(tag, _)| *tag != 0).collect();
    let value = |tag| {
        entries
            .iter()
            .find(|entry| entry.0 == tag)
            .map(|entry| entry.1)
    };
    // The string table's address, as a place in the file.
    let strings = value(dynamic::DT_STRTAB).and_then(|address| {
        let mut loads = segments
            .iter()
            .filter(|segment| segment.kind == program_header::PT_LOAD);
        let load =
            loads.find(|load| address >= load.address && address - load.address < load.size)?;
        (address - load.address).checked_add(load.offset)
    });
    let Some(strings) = strings else { return };
    let size = value(dynamic::DT_STRSZ).unwrap_or_default();
    let Some(strings) = bytes.piece(strings, size) else {
        return;
    };
    let string = |offset: u64| {
        let start = usize::try_from(offset).ok()?;
        strings.get(start..).map(text)
    };
    for (tag, offset) in &entries {
        match *tag {
            dynamic::DT_NEEDED => elf.needed.extend(string(*offset)),
            dynamic::DT_SONAME => elf.soname = string(*offset),
            dynamic::DT_RUNPATH => elf.runpath = string(*offset),
            dynamic::DT_RPATH => elf.rpath = string(*offset),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

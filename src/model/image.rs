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
    /// It lies after the end of the file: `elf_read` says EIO.
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
    elf.pages = loads.map(Segment::pages).sum();
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
mod tests {
    use super::*;
    use crate::elf::{Elf as Built, Flaw};

    fn elf(program: &Built) -> ElfHeaders {
        Image::of(program.build().as_slice()).elf.unwrap()
    }

    #[test]
    fn a_short_file_has_a_head_of_zeros() {
        let image = Image::of(b"#!/a".as_slice());
        assert_eq!((image.head.len(), image.head[4]), (HEAD, 0));
    }

    #[test]
    fn the_interpreter_and_the_libraries_are_found() {
        let elf = elf(&Built::new().interpreter("/l").needs("a.so").runpath("/r"));
        assert_eq!(elf.interpreter, Some(Interpreter::Path("/l".into())));
        assert_eq!(
            (elf.needed, elf.runpath),
            (vec!["a.so".into()], Some("/r".into()))
        );
    }

    #[test]
    fn a_narrow_program_is_read_by_its_own_headers() {
        let elf = elf(&Built::new_32().interpreter("/l").needs("a.so"));
        assert_eq!(
            (elf.machine, elf.needed),
            (header::EM_386, vec!["a.so".into()])
        );
    }

    #[test]
    fn an_interpreter_without_a_nul_is_malformed() {
        let elf = elf(&Built::new().interpreter_bytes(b"/lib/x"));
        assert_eq!(elf.interpreter, Some(Interpreter::Malformed));
    }

    #[test]
    fn an_interpreter_behind_the_end_is_cut() {
        let elf = elf(&Built::new().interpreter("/l").flaw(Flaw::Truncated));
        assert_eq!(elf.interpreter, Some(Interpreter::Cut));
    }

    #[test]
    fn an_address_beyond_user_space_is_noticed() {
        assert!(!elf(&Built::new().flaw(Flaw::Address)).addresses);
    }

    /// The headers of a program in whose file these bytes stand in the place of others.
    fn patched(program: &Built, old: &[u8], new: &[u8]) -> ElfHeaders {
        let mut bytes = program.build();
        let at = bytes.windows(old.len()).rposition(|found| found == old);
        let at = at.unwrap();
        bytes[at..at + new.len()].copy_from_slice(new);
        Image::of(bytes.as_slice()).elf.unwrap()
    }

    /// A program with its 64-bit words from this place on.
    fn with_words(program: &Built, at: usize, words: &[u64]) -> ElfHeaders {
        let mut bytes = program.build();
        let new: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes[at..at + new.len()].copy_from_slice(&new);
        Image::of(bytes.as_slice()).elf.unwrap()
    }

    /// Where the address of the one segment of a static program stands: after the header, and two words.
    const ADDRESS: usize = 64 + 16;

    #[test]
    fn a_head_is_written_without_the_zeros_at_its_end() {
        let image = Image::of(b"a\0b".as_slice());
        let json = serde_json::to_value(&image).unwrap();
        assert_eq!(json["head"], "YQBi");
        assert_eq!(serde_json::from_value::<Image>(json).unwrap(), image);
        let nothing = serde_json::to_value(Image::of(b"".as_slice())).unwrap();
        assert_eq!(nothing["head"], "");
    }

    #[test]
    fn a_head_ends_after_256_bytes() {
        let image = Image::of([1; 300].as_slice());
        assert_eq!((image.size, image.head), (300, vec![1; 256]));
    }

    #[test]
    fn a_piece_is_there_in_whole_or_not_at_all() {
        let bytes = b"abc".as_slice();
        assert_eq!(bytes.piece(1, 2), Some(b"bc".to_vec()));
        assert_eq!((bytes.piece(1, 3), bytes.piece(u64::MAX, 2)), (None, None));
    }

    #[test]
    fn program_headers_are_counted_in_bytes() {
        assert_eq!(elf(&Built::new().unused_headers(1)).table, 3 * 56);
        assert_eq!(elf(&Built::new_32().unused_headers(1)).table, 3 * 32);
    }

    #[test]
    fn program_headers_must_be_there_and_of_their_size() {
        for program in [Built::new(), Built::new_32()] {
            assert!(elf(&program).headers);
            for flaw in [Flaw::NoHeaders, Flaw::HeaderSize, Flaw::HeadersOutside] {
                assert!(!elf(&program.clone().flaw(flaw)).headers, "{flaw:?}");
            }
        }
    }

    #[test]
    fn a_segment_takes_the_pages_that_it_touches() {
        let pages =
            |address, memory| with_words(&Built::new(), ADDRESS, &[address, 0, 0, memory]).pages;
        assert_eq!((pages(0, 4096), pages(0, 4097), pages(4095, 2)), (1, 2, 2));
        assert_eq!(pages(4096, 1), 1);
        assert_eq!(elf(&Built::new_32()).pages, 1);
        assert_eq!(elf(&Built::new().flaw(Flaw::NothingLoaded)).pages, 0);
    }

    #[test]
    fn a_segment_ends_with_the_addresses_at_the_latest() {
        let good = |address: u64, memory| {
            with_words(&Built::new(), ADDRESS, &[address, 0, 0, memory]).addresses
        };
        let end = arch::END_OF_ADDRESSES;
        assert!(good(end - 8, 8) && !good(end - 8, 9) && !good(u64::MAX, 1));
    }

    #[test]
    fn the_name_of_an_interpreter_has_two_bytes_to_4096() {
        let interpreter = |length: usize| {
            let mut bytes = vec![b'a'; length];
            bytes[length - 1] = 0;
            elf(&Built::new().interpreter_bytes(&bytes))
                .interpreter
                .unwrap()
        };
        let path = |length| Interpreter::Path("a".repeat(length));
        assert_eq!((interpreter(2), interpreter(4096)), (path(1), path(4095)));
        let malformed = [interpreter(1), interpreter(4097)];
        assert_eq!(malformed, [Interpreter::Malformed, Interpreter::Malformed]);
    }

    #[test]
    fn the_name_of_an_interpreter_ends_at_its_first_nul() {
        let elf = elf(&Built::new().interpreter_bytes(b"/a\0b\0"));
        assert_eq!(elf.interpreter, Some(Interpreter::Path("/a".to_owned())));
    }

    #[test]
    fn each_list_of_directories_has_a_tag_of_its_own() {
        let program = Built::new().interpreter("/l").rpath("/p").runpath("/r");
        let found = elf(&program);
        assert_eq!(
            (found.rpath.as_deref(), found.runpath.as_deref()),
            (Some("/p"), Some("/r"))
        );
        assert_eq!(found.soname, None);
    }

    #[test]
    fn a_library_says_its_name() {
        let program = Built::new().interpreter("/l").runpath("x.so");
        let named = patched(&program, &29_u64.to_le_bytes(), &14_u64.to_le_bytes());
        assert_eq!(
            (named.soname.as_deref(), named.runpath),
            (Some("x.so"), None)
        );
    }

    /// What is needed when the table of strings is said to be at this address.
    fn needed(strings: u64) -> Vec<String> {
        let program = Built::new().interpreter("/l").needs("a.so");
        let bytes = program.build();
        let tag = 5_u64.to_le_bytes();
        let at = bytes.windows(8).rposition(|found| found == tag).unwrap();
        with_words(&program, at + 8, &[strings]).needed
    }

    #[test]
    fn strings_are_in_a_segment_or_nowhere() {
        let size = Built::new().interpreter("/l").needs("a.so").build().len() as u64;
        assert_eq!(needed(size), [""; 0]);
        // A place in the segment that holds no such string.
        assert_eq!(needed(0).len(), 1);
    }

    #[test]
    fn strings_of_a_segment_at_an_address_are_at_its_place_in_the_file() {
        let program = Built::new().interpreter("/l").needs("a.so");
        let bytes = program.build();
        let tag = 5_u64.to_le_bytes();
        let at = bytes.windows(8).rposition(|found| found == tag).unwrap();
        let strings = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        // The third program header is that of the segment.
        let load = 64 + 2 * 56;
        let mut moved = bytes.clone();
        moved[load + 16..load + 24].copy_from_slice(&0x10000_u64.to_le_bytes());
        moved[at + 8..at + 16].copy_from_slice(&(0x10000 + strings).to_le_bytes());
        assert_eq!(Image::of(moved.as_slice()).elf.unwrap().needed, ["a.so"]);
        // An address before the segment is in none.
        moved[at + 8..at + 16].copy_from_slice(&strings.to_le_bytes());
        assert_eq!(Image::of(moved.as_slice()).elf.unwrap().needed, [""; 0]);
    }
}

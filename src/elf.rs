//! Builds small ELF programs: what Debian does not ship, without a compiler.
//!
//! One loadable segment holds everything: headers, interpreter, dynamic section, strings, code. The
//! program exits with 0 and does nothing else. See elf(5).

use std::ops::Range;

use goblin::elf::dynamic::{
    DT_HASH, DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB,
};
use goblin::elf::header::{EM_S390, ET_DYN, ET_REL};
use goblin::elf::program_header::{
    PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR,
};

use crate::arch;

/// An ELF program in the making.
#[derive(Clone, Debug)]
pub struct Elf {
    class: Class,
    interpreter: Option<Vec<u8>>,
    second: Option<Vec<u8>>,
    needed: Vec<String>,
    runpath: Option<String>,
    rpath: Option<String>,
    flaw: Option<Flaw>,
    read_only: bool,
    unused: usize,
}

/// Machine and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// x86-64.
    Bits64,
    /// i386.
    Bits32,
}

/// What is wrong with a program on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// It is for another machine (`EM_S390`).
    Machine,
    /// The segment's memory is at an address beyond user space.
    Address,
    /// It ends after the program headers.
    Truncated,
    /// It ends inside the ELF header.
    Short,
    /// It is a relocatable object (`ET_REL`).
    Relocatable,
    /// It has no program headers.
    NoHeaders,
    /// Its program headers claim to be of another size.
    HeaderSize,
    /// Its program headers are after its end.
    HeadersOutside,
    /// The name of its interpreter is after its end.
    InterpreterOutside,
    /// It has program headers, and none of them is loaded.
    NothingLoaded,
}

/// A place after the end of every program that is built here.
const OUTSIDE: usize = 1 << 20;

/// Where the program is loaded, relative to the base that the kernel chooses.
const PAGE: u64 = 4096;

impl Elf {
    /// A static program for x86-64.
    #[must_use]
    pub fn new() -> Elf {
        Elf {
            class: Class::Bits64,
            interpreter: None,
            second: None,
            needed: Vec::new(),
            runpath: None,
            rpath: None,
            flaw: None,
            read_only: false,
            unused: 0,
        }
    }

    /// A static program for i386.
    #[must_use]
    pub fn new_32() -> Elf {
        Elf {
            class: Class::Bits32,
            ..Elf::new()
        }
    }

    /// Asks for an ELF interpreter (`PT_INTERP`).
    #[must_use]
    pub fn interpreter(self, path: &str) -> Elf {
        let mut bytes = path.as_bytes().to_vec();
        bytes.push(0);
        self.interpreter_bytes(&bytes)
    }

    /// Asks for an ELF interpreter with these very bytes, which should end with a NUL.
    #[must_use]
    pub fn interpreter_bytes(mut self, bytes: &[u8]) -> Elf {
        self.interpreter = Some(bytes.to_vec());
        self
    }

    /// Asks for another ELF interpreter in a `PT_INTERP` after the first.
    #[must_use]
    pub fn second_interpreter(mut self, path: &str) -> Elf {
        let mut bytes = path.as_bytes().to_vec();
        bytes.push(0);
        self.second = Some(bytes);
        self
    }

    /// Needs a library (`DT_NEEDED`).
    #[must_use]
    pub fn needs(mut self, library: &str) -> Elf {
        self.needed.push(library.to_owned());
        self
    }

    /// Says where its libraries are (`DT_RUNPATH`).
    #[must_use]
    pub fn runpath(mut self, path: &str) -> Elf {
        self.runpath = Some(path.to_owned());
        self
    }

    /// Says where its libraries and theirs are (`DT_RPATH`).
    #[must_use]
    pub fn rpath(mut self, path: &str) -> Elf {
        self.rpath = Some(path.to_owned());
        self
    }

    /// Maps it without the right to write, so that its first instruction can be probed; not for a
    /// program that a loader has to relocate.
    #[must_use]
    pub fn read_only(mut self) -> Elf {
        self.read_only = true;
        self
    }

    /// Adds so many program headers that say nothing (`PT_NULL`).
    #[must_use]
    pub fn unused_headers(mut self, number: usize) -> Elf {
        self.unused = number;
        self
    }

    /// Puts something wrong into it.
    #[must_use]
    pub fn flaw(mut self, flaw: Flaw) -> Elf {
        self.flaw = Some(flaw);
        self
    }

    /// The file.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let shape = self.shape();
        let headers = shape.header + shape.entry * shape.count;
        let mut body = Body::behind(headers);
        let interpreter = body.add(self.interpreter.as_deref().unwrap_or_default());
        let second = body.add(self.second.as_deref().unwrap_or_default());
        let dynamic = self.dynamic(&mut body, shape);
        body.align();
        let code = body.add(self.code()).start;
        let whole = 0..body.end();

        let mut file = self.header(code, shape);
        self.segments(&mut file, shape, [whole, interpreter, second, dynamic]);
        if self.flaw != Some(Flaw::Truncated) {
            file.bytes.extend(body.bytes);
        }
        if self.flaw == Some(Flaw::Short) {
            file.bytes.truncate(shape.header / 2);
        }
        file.bytes
    }

    fn shape(&self) -> Shape {
        let wide = self.class == Class::Bits64;
        // PT_LOAD and PT_GNU_STACK; with an interpreter PT_PHDR, PT_INTERP and PT_DYNAMIC as well.
        let own = if self.interpreter.is_some() { 5 } else { 2 };
        Shape {
            wide,
            word: if wide { 8 } else { 4 },
            header: if wide { 64 } else { 52 },
            entry: if wide { 56 } else { 32 },
            count: own + usize::from(self.second.is_some()) + self.unused,
        }
    }

    /// Adds the dynamic section behind what it refers to; the result is where the section lies.
    fn dynamic(&self, body: &mut Body, shape: Shape) -> Range<usize> {
        body.align();
        // A symbol table of the one empty symbol, and a hash table that finds none.
        let symbols = body.add(&[0; 32]).start;
        let hash = [1_u32, 1, 0, 0].map(u32::to_le_bytes).concat();
        let hash = body.add(&hash).start;
        let strings = body.add(&[0]).start;
        let named = self.needed.iter().map(|library| (DT_NEEDED, library));
        let runpath = self.runpath.iter().map(|path| (DT_RUNPATH, path));
        let rpath = self.rpath.iter().map(|path| (DT_RPATH, path));
        let mut tags = Vec::new();
        for (tag, text) in named.chain(runpath).chain(rpath) {
            let string = body.add(&[text.as_bytes(), &[0]].concat()).start;
            tags.push((tag, string - strings));
        }
        tags.extend([
            (DT_HASH, hash),
            (DT_STRTAB, strings),
            (DT_SYMTAB, symbols),
            (DT_STRSZ, body.end() - strings),
            (DT_SYMENT, if shape.wide { 24 } else { 16 }),
            (DT_NULL, 0),
        ]);
        body.align();
        let words = tags.iter().flat_map(|(tag, value)| [*tag, *value as u64]);
        let table = words.flat_map(|word| word.to_le_bytes().into_iter().take(shape.word));
        body.add(&table.collect::<Vec<_>>())
    }

    /// The program headers. `PT_PHDR` and `PT_INTERP` must come before `PT_LOAD`, and loaders know by `PT_PHDR` where the
    /// program lies.
    fn segments(&self, file: &mut Writer, shape: Shape, places: [Range<usize>; 4]) {
        let [whole, mut interpreter, second, dynamic] = places;
        let word = shape.word as u64;
        let has_interpreter = self.interpreter.is_some();
        if has_interpreter {
            let headers = shape.header..shape.header + shape.entry * shape.count;
            file.segment(PT_PHDR, PF_R, headers, 0, word);
            if self.flaw == Some(Flaw::InterpreterOutside) {
                interpreter = OUTSIDE..OUTSIDE + interpreter.len();
            }
            file.segment(PT_INTERP, PF_R, interpreter, 0, 1);
        }
        if self.second.is_some() {
            file.segment(PT_INTERP, PF_R, second, 0, 1);
        }
        let kind = match self.flaw {
            Some(Flaw::NothingLoaded) => PT_NOTE,
            _ => PT_LOAD,
        };
        let rights = if self.read_only {
            PF_R | PF_X
        } else {
            PF_R | PF_W | PF_X
        };
        let address = match self.flaw {
            Some(Flaw::Address) => 0xffff_8000_0000_0000,
            _ => 0,
        };
        file.segment(kind, rights, whole, address, PAGE);
        if has_interpreter {
            file.segment(PT_DYNAMIC, PF_R | PF_W, dynamic, 0, word);
        }
        file.segment(PT_GNU_STACK, PF_R | PF_W, 0..0, 0, 16);
        for _ in 0..self.unused {
            file.segment(PT_NULL, 0, 0..0, 0, 0);
        }
    }

    /// exit(0) by system call.
    fn code(&self) -> &'static [u8] {
        match self.class {
            // xor edi, edi; mov eax, 60; syscall
            Class::Bits64 => &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05],
            // xor ebx, ebx; mov eax, 1; int 0x80
            Class::Bits32 => &[0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80],
        }
    }

    fn header(&self, code: usize, shape: Shape) -> Writer {
        let mut out = Writer {
            wide: shape.wide,
            bytes: Vec::new(),
        };
        let class = if shape.wide { 2 } else { 1 };
        out.bytes.extend(b"\x7fELF");
        out.bytes.extend([class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let machine = match (self.flaw, self.class) {
            // No kernel of ours runs programs of this machine.
            (Some(Flaw::Machine), _) => EM_S390,
            (_, Class::Bits64) => arch::ELF,
            (_, Class::Bits32) => arch::ELF_NARROW,
        };
        let kind = match self.flaw {
            Some(Flaw::Relocatable) => ET_REL,
            _ => ET_DYN,
        };
        let Shape {
            header,
            mut entry,
            mut count,
            ..
        } = shape;
        let mut place = header;
        match self.flaw {
            Some(Flaw::NoHeaders) => count = 0,
            Some(Flaw::HeaderSize) => entry -= 1,
            Some(Flaw::HeadersOutside) => place = OUTSIDE,
            _ => {}
        }
        out.half(kind).half(machine).int(1);
        out.word(code as u64).word(place as u64).word(0).int(0);
        out.half(header as u16)
            .half(entry as u16)
            .half(count as u16);
        out.half(0).half(0).half(0);
        out
    }
}

impl Default for Elf {
    fn default() -> Elf {
        Elf::new()
    }
}

/// Sizes that go by width and number of program headers, in bytes.
#[derive(Clone, Copy)]
struct Shape {
    wide: bool,
    word: usize,
    /// Of the ELF header.
    header: usize,
    /// Of a program header.
    entry: usize,
    /// How many program headers there are.
    count: usize,
}

/// What follows the headers; places are offsets in the file.
struct Body {
    headers: usize,
    bytes: Vec<u8>,
}

impl Body {
    fn behind(headers: usize) -> Body {
        Body {
            headers,
            bytes: Vec::new(),
        }
    }

    fn end(&self) -> usize {
        self.headers + self.bytes.len()
    }

    fn add(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.end();
        self.bytes.extend(bytes);
        start..self.end()
    }

    fn align(&mut self) {
        let end = self.end().next_multiple_of(16);
        self.bytes.resize(end - self.headers, 0);
    }
}

/// Writes numbers of the file's width.
struct Writer {
    wide: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn half(&mut self, number: u16) -> &mut Writer {
        self.bytes.extend(number.to_le_bytes());
        self
    }

    fn int(&mut self, number: u32) -> &mut Writer {
        self.bytes.extend(number.to_le_bytes());
        self
    }

    fn word(&mut self, number: u64) -> &mut Writer {
        let width = if self.wide { 8 } else { 4 };
        self.bytes.extend(&number.to_le_bytes()[..width]);
        self
    }

    /// A program header; the two classes order their fields differently.
    fn segment(&mut self, kind: u32, flags: u32, place: Range<usize>, base: u64, align: u64) {
        let (from, size) = (place.start as u64, place.len() as u64);
        let address = base + from;
        self.int(kind);
        if self.wide {
            self.int(flags);
        }
        self.word(from).word(address).word(address);
        self.word(size).word(size);
        if !self.wide {
            self.int(flags);
        }
        self.word(align);
    }
}

#[cfg(test)]
mod tests {
    use super::Elf;

    #[test]
    fn a_program_is_what_was_asked_for() {
        let program = Elf::new().interpreter("/lib/x").needs("a.so").runpath("/r");
        let bytes = program.build();
        let elf = goblin::elf::Elf::parse(&bytes).unwrap();
        assert_eq!(elf.interpreter, Some("/lib/x"));
        assert_eq!(elf.libraries, ["a.so"]);
        assert_eq!(elf.runpaths, ["/r"]);
    }

    #[test]
    fn a_program_can_ask_for_two_interpreters() {
        let bytes = Elf::new()
            .interpreter("/a")
            .second_interpreter("/b")
            .build();
        let elf = goblin::elf::Elf::parse(&bytes).unwrap();
        let names = elf
            .program_headers
            .iter()
            .filter(|header| header.p_type == 3);
        let names = names.map(|header| &bytes[header.file_range()]);
        assert_eq!(names.collect::<Vec<_>>(), [b"/a\0", b"/b\0"]);
    }

    #[test]
    fn a_narrow_program_is_for_i386() {
        let bytes = Elf::new_32().interpreter("/lib/y").build();
        let elf = goblin::elf::Elf::parse(&bytes).unwrap();
        assert_eq!((elf.is_64, elf.interpreter), (false, Some("/lib/y")));
    }
}

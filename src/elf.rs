//! Builds small ELF programs: what Debian does not ship, without a compiler.
//!
//! One loadable segment holds everything: headers, interpreter, dynamic section, strings, code. The
//! program exits with 0 and does nothing else. See elf(5).

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
        let wide = self.class == Class::Bits64;
        let word = if wide { 8 } else { 4 };
        let header = if wide { 64 } else { 52 };
        let entry = if wide { 56 } else { 32 };
        // PT_PHDR, PT_INTERP, PT_LOAD, PT_DYNAMIC, PT_GNU_STACK; the first two must come before
        // PT_LOAD, and loaders know by PT_PHDR where the program lies.
        let dynamic = self.interpreter.is_some();
        let count = if dynamic { 5 } else { 2 } + usize::from(self.second.is_some()) + self.unused;
        let headers = header + entry * count;

        let mut body = Vec::new();
        let align = |body: &mut Vec<u8>| {
            while !(headers + body.len()).is_multiple_of(16) {
                body.push(0);
            }
        };
        let interpreter = headers;
        let interpreter_size = self.interpreter.as_ref().map_or(0, Vec::len);
        body.extend(self.interpreter.iter().flatten());
        let second = headers + body.len();
        let second_size = self.second.as_ref().map_or(0, Vec::len);
        body.extend(self.second.iter().flatten());
        align(&mut body);
        // A symbol table of the one empty symbol, and a hash table that finds none.
        let symbols = headers + body.len();
        body.extend(vec![0; 32]);
        let hash = headers + body.len();
        for number in [1_u32, 1, 0, 0] {
            body.extend(number.to_le_bytes());
        }
        let strings = headers + body.len();
        body.push(0);
        let mut tags = Vec::new();
        let string = |text: &str, body: &mut Vec<u8>| {
            let offset = headers + body.len() - strings;
            body.extend(text.as_bytes());
            body.push(0);
            offset
        };
        for library in &self.needed {
            tags.push((1, string(library, &mut body)));
        }
        if let Some(path) = &self.runpath {
            tags.push((29, string(path, &mut body)));
        }
        if let Some(path) = &self.rpath {
            tags.push((15, string(path, &mut body)));
        }
        let strings_size = headers + body.len() - strings;
        let symbol_size = if wide { 24 } else { 16 };
        tags.extend([(4, hash), (5, strings), (6, symbols)]);
        tags.extend([(10, strings_size), (11, symbol_size), (0, 0)]);
        align(&mut body);
        let table = headers + body.len();
        for (tag, value) in &tags {
            for number in [*tag as u64, *value as u64] {
                body.extend(&number.to_le_bytes()[..word]);
            }
        }
        let table_size = tags.len() * 2 * word;
        align(&mut body);
        let code = headers + body.len();
        body.extend(self.code());
        let end = headers + body.len();

        let out = Writer {
            wide,
            bytes: Vec::new(),
        };
        let mut file = self.header(out, code, header, entry, count);
        let address = match self.flaw {
            Some(Flaw::Address) => 0xffff_8000_0000_0000,
            _ => 0,
        };
        if dynamic {
            file.segment(6, 4, header, entry * count, 0, word as u64);
            let place = match self.flaw {
                Some(Flaw::InterpreterOutside) => OUTSIDE,
                _ => interpreter,
            };
            file.segment(3, 4, place, interpreter_size, 0, 1);
        }
        if self.second.is_some() {
            file.segment(3, 4, second, second_size, 0, 1);
        }
        // PT_LOAD; PT_NOTE of nothing where nothing is to be loaded.
        let kind = if self.flaw == Some(Flaw::NothingLoaded) {
            4
        } else {
            1
        };
        let rights = if self.read_only { 5 } else { 7 };
        file.segment(kind, rights, 0, end, address, PAGE);
        if dynamic {
            file.segment(2, 6, table, table_size, 0, word as u64);
        }
        file.segment(0x6474_e551, 6, 0, 0, 0, 16);
        for _ in 0..self.unused {
            file.segment(0, 0, 0, 0, 0, 0);
        }
        if self.flaw != Some(Flaw::Truncated) {
            file.bytes.extend(body);
        }
        if self.flaw == Some(Flaw::Short) {
            file.bytes.truncate(header / 2);
        }
        file.bytes
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

    fn header(
        &self,
        mut out: Writer,
        code: usize,
        header: usize,
        entry: usize,
        count: usize,
    ) -> Writer {
        let class = if out.wide { 2 } else { 1 };
        out.bytes.extend(b"\x7fELF");
        out.bytes.extend([class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let machine = match (self.flaw, self.class) {
            // No kernel of ours runs programs of this machine.
            (Some(Flaw::Machine), _) => goblin::elf::header::EM_S390,
            (_, Class::Bits64) => arch::ELF,
            (_, Class::Bits32) => arch::ELF_NARROW,
        };
        // ET_DYN, or ET_REL.
        let kind = if self.flaw == Some(Flaw::Relocatable) {
            1
        } else {
            3
        };
        let (place, entry, count) = match self.flaw {
            Some(Flaw::NoHeaders) => (header, entry, 0),
            Some(Flaw::HeaderSize) => (header, entry - 1, count),
            Some(Flaw::HeadersOutside) => (OUTSIDE, entry, count),
            _ => (header, entry, count),
        };
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
    fn segment(&mut self, kind: u32, flags: u32, from: usize, size: usize, base: u64, align: u64) {
        let address = base + from as u64;
        self.int(kind);
        if self.wide {
            self.int(flags);
        }
        self.word(from as u64).word(address).word(address);
        self.word(size as u64).word(size as u64);
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

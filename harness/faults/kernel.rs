//! Kernels of a few kilobytes at the most, which do what no kernel should.
//!
//! An ELF file with a PVH entry point (docs/misc/pvh.pandoc of Xen): QEMU enters it in 32-bit
//! protected mode, without paging, and it needs nothing but its own code.

/// First serial port, the console.
pub const CONSOLE: u16 = 0x3f8;
/// Second serial port, the record channel.
pub const RECORDS: u16 = 0x2f8;

/// Where it is loaded.
const ADDRESS: u32 = 0x10_0000;
/// Where its code is in the file.
const CODE: u32 = 0x100;

/// What a kernel does when it has said everything.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// It halts for ever.
    Halt,
    /// It says the last thing again, for ever.
    Repeat,
}

/// A kernel that stops at once.
pub fn halting() -> Vec<u8> {
    // hlt; jmp -3
    file(&[0xf4, 0xeb, 0xfd])
}

/// A kernel that writes these bytes to these serial ports.
pub fn saying(words: &[(u16, &[u8])], then: Then) -> Vec<u8> {
    // Each word is its port, its length and its bytes; a port of 0 is the end.
    let mut data = Vec::new();
    let mut last = 0;
    for (port, bytes) in words {
        last = data.len();
        data.extend(port.to_le_bytes());
        data.extend(
            u32::try_from(bytes.len())
                .expect("a short word")
                .to_le_bytes(),
        );
        data.extend_from_slice(bytes);
    }
    data.extend([0, 0]);
    let place = |offset: usize| {
        (ADDRESS + CODE_LENGTH + u32::try_from(offset).expect("a small kernel")).to_le_bytes()
    };
    let [a, b, c, d] = place(0);
    let end = match then {
        Then::Halt => [0xf4, 0xeb, 0xfd, 0x90, 0x90, 0x90, 0x90], // hlt; jmp -3; nop
        Then::Repeat => {
            let [a, b, c, d] = place(last);
            [0xbe, a, b, c, d, 0xeb, 0xda] // mov esi, LAST; jmp next
        }
    };
    let mut code = vec![
        0xfc, // cld
        0xbe, a, b, c, d, // mov esi, DATA
        0x0f, 0xb7, 0x16, // next: movzx edx, word [esi]
        0x8b, 0x4e, 0x02, // mov ecx, [esi+2]
        0x83, 0xc6, 0x06, // add esi, 6
        0x85, 0xd2, // test edx, edx
        0x74, 0x12, // jz end
        0xe3, 0xf1, // byte: jecxz next
        0x83, 0xc2, 0x05, // add edx, 5
        0xec, // wait: in al, dx
        0xa8, 0x20, // test al, 0x20: the transmitter takes a byte
        0x74, 0xfb, // jz wait
        0x83, 0xea, 0x05, // sub edx, 5
        0xac, // lodsb
        0xee, // out dx, al
        0x49, // dec ecx
        0xeb, 0xee, // jmp byte
    ];
    code.extend(end);
    assert_eq!(code.len(), CODE_LENGTH as usize);
    code.extend(data);
    file(&code)
}

/// Length of the code before the words.
const CODE_LENGTH: u32 = 44;

/// The file with this code at its entry point.
fn file(code: &[u8]) -> Vec<u8> {
    let words = |words: &[u64]| {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        bytes.collect::<Vec<_>>()
    };
    let (address, start) = (u64::from(ADDRESS), u64::from(CODE));
    let size = start + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    // ET_EXEC, x86-64, version 1; entry, program headers at 64, no sections.
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(words(&[address, 64, 0]));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    // PT_LOAD and PT_NOTE: type, flags, offset, addresses, sizes, alignment.
    file.extend([1, 0, 0, 0, 7, 0, 0, 0]);
    file.extend(words(&[
        0,
        address - start,
        address - start,
        size,
        size,
        4096,
    ]));
    file.extend([4, 0, 0, 0, 4, 0, 0, 0]);
    file.extend(words(&[176, 0, 0, 20, 20, 4]));
    // The note: name "Xen", XEN_ELFNOTE_PHYS32_ENTRY (18), a 32-bit address.
    for word in [4, 4, 18, u32::from_le_bytes(*b"Xen\0"), ADDRESS] {
        file.extend(u32::to_le_bytes(word));
    }
    file.resize(CODE as usize, 0);
    file.extend_from_slice(code);
    file
}

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
fn pages_that_are_more_than_any_number_are_the_largest() {
    // More segments of the largest size than 64 bits can count.
    let count = 5000;
    let mut bytes = Built::new().unused_headers(count).build();
    for header in bytes[64..].chunks_exact_mut(56).take(count) {
        header[..4].copy_from_slice(&1_u32.to_le_bytes());
        header[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    }
    let pages = Image::of(bytes.as_slice()).elf.unwrap().pages;
    assert_eq!(pages, u64::MAX);
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

/// What is needed when the table of strings is said to be at this address; the file goes on after its segment.
fn needed(strings: u64) -> Vec<String> {
    let mut bytes = Built::new().interpreter("/l").needs("a.so").build();
    let tag = 5_u64.to_le_bytes();
    let at = bytes.windows(8).rposition(|found| found == tag).unwrap();
    bytes[at + 8..at + 16].copy_from_slice(&strings.to_le_bytes());
    bytes.extend([0; 4096]);
    Image::of(bytes.as_slice()).elf.unwrap().needed
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

use std::fs;

use super::*;

/// An archive of one member whose name is written as it is, without the checks of the library.
fn archive(name: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(1000);
    header.set_gid(1000);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

/// Puts a layer over a tree.
fn over(tree: &mut Tree, bytes: &[u8]) -> Result<()> {
    let digest = format!("sha256:{}", "0".repeat(64));
    let part = Part::Layer(Blob::of(Path::new("/"), &digest)?);
    let layer = read(bytes, &part, tree, &mut LIMIT.clone())?;
    layer.put_over(tree).map(drop)
}

/// The tree of an archive that is a whole root.
fn whole(bytes: &[u8]) -> Result<Tree> {
    let mut tree = Tree::default();
    let layer = read(bytes, &Part::Whole, &tree, &mut LIMIT.clone())?;
    layer.put_over(&mut tree).map(|_| tree)
}

fn refused(name: &str, kind: tar::EntryType) -> String {
    let bytes = archive(name, kind, b"");
    format!("{:#}", whole(&bytes).unwrap_err())
}

/// An archive of these: a directory without a content, a symlink with its target behind `->`, or a file.
fn layer(members: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        match (content.strip_prefix("->"), *content) {
            (Some(target), _) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, name, target).unwrap();
            }
            (None, "") if !name.contains(".wh.") => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder
                    .append_data(&mut header, name, [].as_slice())
                    .unwrap();
            }
            (None, content) => {
                header.set_size(content.len() as u64);
                builder
                    .append_data(&mut header, name, content.as_bytes())
                    .unwrap();
            }
        }
    }
    builder.into_inner().unwrap()
}

/// The names of what layers make, one over the other.
fn layers_make(layers: &[&[(&str, &str)]]) -> Vec<String> {
    let mut tree = Tree::default();
    for members in layers {
        over(&mut tree, &layer(members)).unwrap();
    }
    tree.iter().map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn an_opaque_directory_hides_what_is_below_it_and_not_its_own() {
    let made = layers_make(&[&[("a/old", "x")], &[("a/new", "x"), ("a/.wh..wh..opq", "")]]);
    assert_eq!(made, ["a", "a/new"]);
}

#[test]
fn a_whiteout_goes_where_its_directory_leads() {
    let made = layers_make(&[
        &[("usr/bin/gone", "x"), ("bin", "->usr/bin")],
        &[("bin/.wh.gone", "")],
    ]);
    assert_eq!(made, ["bin", "usr", "usr/bin"]);
}

#[test]
fn a_layer_makes_a_directory_a_symlink() {
    let made = layers_make(&[
        &[("bin/sh", "x")],
        &[("usr/bin/sh", "x"), ("bin", "->usr/bin")],
    ]);
    assert_eq!(made, ["bin", "usr", "usr/bin", "usr/bin/sh"]);
}

#[test]
fn a_root_of_several_members_is_read_to_its_end() {
    let whole = layer(&[("a", "x"), ("b", "x")]);
    let mut packed = Vec::new();
    for half in [&whole[..1024], &whole[1024..]] {
        flate2::read::GzEncoder::new(half, flate2::Compression::fast())
            .read_to_end(&mut packed)
            .unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), packed).unwrap();
    let mut tree = Tree::default();
    unpack(file.path(), &Part::Whole, &mut tree, &mut LIMIT.clone()).unwrap();
    assert!(tree.get("a").is_some() && tree.get("b").is_some());
}

#[test]
fn all_layers_have_one_limit() {
    let bytes = layer(&[("a", "xyz")]);
    let mut left = 5;
    let mut again = || read(bytes.as_slice(), &Part::Whole, &Tree::default(), &mut left);
    again().unwrap();
    let error = again().unwrap_err();
    assert!(format!("{error:#}").contains("a is refused"), "{error:#}");
}

#[test]
fn a_sparse_file_has_its_holes_and_what_is_not_known_is_refused() {
    // Four bytes at the end of one block (tar(5), GNU tar archives).
    let mut header = tar::Header::new_gnu();
    header.set_path("a").unwrap();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_mode(0o755);
    header.set_size(4);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize.copy_from_slice(b"00000001000\0");
    gnu.sparse[0].offset.copy_from_slice(b"00000000774\0");
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000004\0");
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, b"tail".as_slice()).unwrap();
    let mut tree = Tree::default();
    over(&mut tree, &builder.into_inner().unwrap()).unwrap();
    let Some(Entry::File { bytes, .. }) = tree.get("a") else {
        panic!("{tree:?}");
    };
    assert_eq!((bytes.len(), &bytes[508..]), (512, b"tail".as_slice()));
    let error = refused("a", tar::EntryType::new(b'D'));
    assert!(error.contains("a is refused: it is of a kind"), "{error}");

    let mut builder = tar::Builder::new(Vec::new());
    let one = [("GNU.sparse.major", b"1".as_slice())];
    builder.append_pax_extensions(one).unwrap();
    let plain = archive("b", tar::EntryType::Regular, b"x");
    let bytes = [builder.into_inner().unwrap()[..1024].to_vec(), plain].concat();
    let error = format!("{:#}", over(&mut Tree::default(), &bytes).unwrap_err());
    assert!(
        error.contains("b is refused: it is a sparse file"),
        "{error}"
    );
}

#[test]
fn a_name_that_leads_out_and_a_device_are_errors_that_name_them() {
    let regular = tar::EntryType::Regular;
    assert!(refused("../x", regular).contains("\"../x\" has the part"));
    assert!(refused("/etc/x", regular).contains("is absolute"));
    assert!(refused("a\nb", regular).contains("control character"));
    let error = refused("srv/sda", tar::EntryType::Block);
    assert!(
        error.contains("srv/sda is refused: it is a device"),
        "{error}"
    );
}

#[test]
fn what_is_no_archive_is_told_what_a_root_can_be() {
    let error = over(&mut Tree::default(), &[b'x'; 1024]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("it is none: a root is a directory")
    );
}

#[test]
fn what_is_no_file_is_refused_before_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for place in [Path::new("/dev/zero"), &pipe] {
        let error = unpack(
            place,
            &Part::Whole,
            &mut Tree::default(),
            &mut LIMIT.clone(),
        )
        .unwrap_err();
        assert!(format!("{error:#}").contains("regular file"), "{error:#}");
    }
}

#[test]
fn a_file_keeps_its_owner_and_a_whiteout_takes_one_away() {
    let mut tree = Tree::default();
    over(&mut tree, &archive("a/b", tar::EntryType::Regular, b"x")).unwrap();
    assert!(matches!(tree.get("a/b"), Some(Entry::File { .. })));
    assert_eq!(tree.owner("a/b"), Owner(1000, 1000));
    over(&mut tree, &archive("a/.wh.b", tar::EntryType::Regular, b"")).unwrap();
    assert_eq!(tree.get("a/b"), None);
}

#[test]
fn in_a_whole_root_nothing_is_a_whiteout() {
    let tree = whole(&layer(&[("a", "x"), (".wh.a", "y")])).unwrap();
    let names: Vec<_> = tree.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [".wh.a", "a"]);
}

/// An archive of a file with this attribute in its pax header.
fn with_attribute(name: &str, value: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let key = format!("{ATTRIBUTE}{name}");
    let one = [(key.as_str(), value)];
    builder.append_pax_extensions(one).unwrap();
    let plain = archive("a", tar::EntryType::Regular, b"x");
    let mut bytes = builder.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(plain);
    bytes
}

/// What is said of an archive that is put over nothing.
fn said(bytes: &[u8]) -> Vec<String> {
    let mut tree = Tree::default();
    let layer = read(bytes, &Part::Whole, &tree, &mut LIMIT.clone()).unwrap();
    layer.put_over(&mut tree).unwrap()
}

#[test]
fn file_capabilities_that_are_lost_are_told_and_other_attributes_are_not() {
    let value = [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes);
    let said_of = said(&with_attribute("security.capability", value.as_flattened()));
    assert!(
        said_of[0].contains("/a has file capabilities (net_raw+ep)"),
        "{said_of:?}"
    );
    assert_eq!(said(&with_attribute("user.x", b"\n1\n")), [""; 0]);
}

#[test]
fn devices_below_dev_are_left_out_and_counted() {
    let said = said(&archive("dev/sda", tar::EntryType::Block, b""));
    assert!(said[0].contains("1 device"), "{said:?}");
}

#[test]
fn an_image_in_an_archive_is_told_how_it_becomes_a_root() {
    let sum = "0".repeat(64);
    for (name, way) in [
        ("oci-layout", "tar -C image"),
        (&format!("blobs/sha256/{sum}"), "tar -C image"),
        (&format!("{sum}/layer.tar"), "docker export"),
    ] {
        let error = refused(name, tar::EntryType::Regular);
        assert!(error.contains(way), "{error}");
    }
}

#[test]
fn a_layer_makes_a_symlink_a_directory() {
    let made = layers_make(&[
        &[("usr/bin/sh", "x"), ("bin", "->usr/bin")],
        &[("bin", ""), ("bin/own", "x")],
    ]);
    assert_eq!(made, ["bin", "bin/own", "usr", "usr/bin", "usr/bin/sh"]);
    // In one archive the symlink stays.
    let made = layers_make(&[&[("a/x", "x"), ("b", "->a"), ("b", ""), ("b/y", "x")]]);
    assert_eq!(made, ["a", "a/x", "a/y", "b"]);
}

/// Two members: something of this kind, and a hard link to it.
fn linked(kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut first = archive("a", kind, content);
    first.truncate(first.len() - 1024);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_mode(0o755);
    header.set_size(0);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_link(&mut header, "b", "./a").unwrap();
    first.extend(builder.into_inner().unwrap());
    first
}

#[test]
fn a_hard_link_takes_as_much_room_as_what_it_names() {
    let bytes = linked(tar::EntryType::Regular, b"xyz");
    let of = |mut left| read(bytes.as_slice(), &Part::Whole, &Tree::default(), &mut left);
    of(6).unwrap();
    let error = format!("{:#}", of(5).unwrap_err());
    assert!(
        error.contains("b is refused: its content is larger"),
        "{error}"
    );
}

#[test]
fn a_name_that_is_longer_than_any_path_is_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(0);
    let name = "a/".repeat(3000) + "b";
    builder
        .append_data(&mut header, name, [].as_slice())
        .unwrap();
    let bytes = builder.into_inner().unwrap();
    let error = over(&mut Tree::default(), &bytes).unwrap_err().to_string();
    assert!(error.contains("a name of 6001 bytes"), "{error}");
}

//! What ld.so(8) loads for a program: each library once, in the order of the list of objects that it makes.
//!
//! First what is preloaded, then what each object of the list needs, which goes to its end (`_dl_map_object_deps` in
//! elf/dl-deps.c). So what a library needs may be there already, because the program named it and knows where it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::closure::Closure;
use super::search::{expand, is_library, list, without_comments};
use crate::model::{ElfHeaders, Image};

/// One object of the list.
struct Object {
    path: PathBuf,
    /// What `$ORIGIN` means in it.
    origin: PathBuf,
    needed: Vec<String>,
    /// Where its libraries may be, before the usual places.
    places: Vec<PathBuf>,
    /// What DT_RPATH says for those that are loaded for it: its own, and those of who it is loaded for.
    rpaths: Vec<PathBuf>,
}

/// The objects of one program.
struct Loading {
    wide: bool,
    /// What LD_LIBRARY_PATH says, as the program means it.
    variable: Vec<PathBuf>,
    objects: Vec<Object>,
    /// What they were asked for by, with what they call themselves (DT_SONAME).
    names: BTreeSet<String>,
    /// Where they are: a file that has two names is loaded once.
    files: BTreeSet<PathBuf>,
}

impl Closure<'_> {
    /// Adds what is loaded for a program, which is at this path and really at that one.
    pub(super) fn libraries(
        &mut self,
        path: &Path,
        real: &Path,
        elf: &ElfHeaders,
        interpreter: Option<&str>,
    ) -> Result<()> {
        // Of a program the origin is the directory of its exe link, of a library that of its name.
        let origin = real.parent().unwrap_or(Path::new("/"));
        let variable = self.caller.variable("LD_LIBRARY_PATH").unwrap_or_default();
        let mut loading = Loading {
            wide: !elf.is_narrow(),
            variable: self.places(variable, origin),
            objects: Vec::new(),
            names: BTreeSet::new(),
            files: BTreeSet::from([real.to_owned()]),
        };
        let program = self.object(&loading, path, origin, elf, &[]);
        loading.objects.push(program);
        if let Some(interpreter) = interpreter {
            self.preloaded(&mut loading, interpreter)?;
        }
        let mut next = 0;
        while let Some(object) = loading.objects.get(next) {
            let why = format!("library of {}", object.path.display());
            for name in object.needed.clone() {
                self.library(&mut loading, next, &name, &why)?;
            }
            next += 1;
        }
        Ok(())
    }

    /// What every loader reads before it looks at what the program needs: libraries for it or for everybody.
    fn preloaded(&mut self, loading: &mut Loading, interpreter: &str) -> Result<()> {
        let names = self.caller.variable("LD_PRELOAD").unwrap_or_default();
        for name in list(names) {
            self.library(loading, 0, name, "named in LD_PRELOAD")?;
        }
        if !interpreter.contains("/ld-linux") {
            return Ok(());
        }
        let cache = Path::new("/etc/ld.so.cache");
        if self.files.is_file(cache) {
            self.add(cache, "read by ld.so")?;
        }
        let preload = Path::new("/etc/ld.so.preload");
        if self.files.is_file(preload) {
            self.add(preload, "read by ld.so")?;
            let text = self.files.bytes(preload)?;
            let text = without_comments(&String::from_utf8_lossy(&text));
            for name in list(&text) {
                self.library(loading, 0, name, "named in /etc/ld.so.preload")?;
            }
        }
        Ok(())
    }

    /// Loads a library that an object asks for, unless it is there.
    fn library(&mut self, loading: &mut Loading, by: usize, name: &str, why: &str) -> Result<()> {
        let object = &loading.objects[by];
        // `$ORIGIN/x` is another file for who is elsewhere.
        let meant = match name.contains('/') {
            true => expand(name, &object.origin),
            false => name.to_owned(),
        };
        if !loading.names.insert(meant) {
            return Ok(());
        }
        let object = &loading.objects[by];
        let Some(path) = self.find(loading, object, name) else {
            let own = expand(name, &object.origin);
            let by = object.path.clone();
            match name.contains('/') {
                true => self.misses_path(&own, &by),
                false => self.misses_file(name, &by),
            }
            return Ok(());
        };
        let real = self.take(&path, why)?;
        if !loading.files.insert(real.clone()) {
            return Ok(());
        }
        let bytes = self.files.bytes(&real)?;
        let image = Image::of(bytes.as_slice());
        let Some(elf) = self.ours(&path, &image)? else {
            return Ok(());
        };
        loading.names.extend(elf.soname.clone());
        let origin = path.parent().unwrap_or(Path::new("/"));
        let own = self.object(loading, &path, origin, elf, &loading.objects[by].rpaths);
        loading.objects.push(own);
        Ok(())
    }

    /// Where a library is that an object asks for.
    fn find(&self, loading: &Loading, object: &Object, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            let path = self.caller.absolute(&expand(name, &object.origin));
            return self.files.is_file(&path).then_some(path);
        }
        let places = object.places.iter().chain(&self.default);
        let mut places = places.map(|place| place.join(name));
        places.find(|place| is_library(self.files, place, loading.wide))
    }

    /// An object of the list, loaded for one whose lists of DT_RPATH these are.
    fn object(
        &self,
        loading: &Loading,
        path: &Path,
        origin: &Path,
        elf: &ElfHeaders,
        above: &[PathBuf],
    ) -> Object {
        // DT_RUNPATH makes ld.so ignore DT_RPATH, its own and that of those who need it.
        let (places, rpaths) = match &elf.runpath {
            Some(runpath) => {
                let own = self.places(runpath, origin);
                ([loading.variable.clone(), own].concat(), above.to_vec())
            }
            None => {
                let own = elf.rpath.as_deref().unwrap_or_default();
                let rpaths = [self.places(own, origin), above.to_vec()].concat();
                ([rpaths.clone(), loading.variable.clone()].concat(), rpaths)
            }
        };
        Object {
            path: path.to_owned(),
            origin: origin.to_owned(),
            needed: elf.needed.clone(),
            places,
            rpaths,
        }
    }

    /// The directories of such a list, as an object means it whose directory is `origin`.
    fn places(&self, directories: &str, origin: &Path) -> Vec<PathBuf> {
        // Nothing is no list of the working directory alone.
        let all = directories.split([':', ';']);
        let all = all.filter(|_| !directories.is_empty());
        all.map(|directory| self.caller.absolute(&expand(directory, origin)))
            .collect()
    }
}

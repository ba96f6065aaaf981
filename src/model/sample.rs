//! Small worlds for the tests of the model.

use crate::elf::Elf as Built;
use crate::trail::Release;

use super::{
    Answer, By, Call, Caller, File, Image, KernelEnding, Loaded, Node, Owned, PredictedStep,
    Started, Target, World, exec, load,
};

/// A file system in a few words.
#[derive(Default)]
pub struct Sample(pub World);

impl Sample {
    pub fn new() -> Sample {
        Sample::default().directory("/")
    }

    pub fn directory(self, path: &str) -> Sample {
        self.node(path, Node::Directory(owned(0o755)))
    }

    pub fn link(self, path: &str, target: &str) -> Sample {
        self.node(path, Node::Link(target.to_owned(), 0))
    }

    pub fn file(self, path: &str, bytes: &[u8]) -> Sample {
        self.mode(path, bytes, 0o755)
    }

    pub fn program(self, path: &str, program: &Built) -> Sample {
        self.file(path, &program.build())
    }

    pub fn mode(self, path: &str, bytes: &[u8], mode: u32) -> Sample {
        let id = (1, self.0.0.len() as u64);
        let file = File {
            name: path.to_owned(),
            id,
            owned: owned(mode),
            noexec: false,
            nosuid: false,
            capabilities: None,
            unreadable: None,
            busy: false,
            watched: true,
            layer: None,
            image: Some(Image::of(bytes)),
        };
        self.node(path, Node::File(Box::new(file)))
    }

    /// Changes a file.
    pub fn with(mut self, path: &str, change: impl FnOnce(&mut File)) -> Sample {
        if let Some(Some(Node::File(file))) = self.0.0.get_mut(path) {
            change(file);
        }
        self
    }

    fn node(mut self, path: &str, node: Node) -> Sample {
        self.0.0.insert(path.to_owned(), Some(node));
        self
    }
}

fn owned(mode: u32) -> Owned {
    Owned {
        mode,
        uid: 0,
        gid: 0,
    }
}

/// execve(2) of a path by root, who is called `caller`.
pub fn call(path: &str) -> Call {
    Call {
        target: Target::Path(path.to_owned()),
        argv: vec![path.to_owned()],
        environment: Vec::new(),
        by: By::Itself,
        filtered: None,
        older: None,
        caller: Caller {
            exe: "/caller".to_owned(),
            comm: "caller".to_owned(),
            uid: 0,
            gid: 0,
            cwd: "/".to_owned(),
            real: (0, 0),
            groups: Vec::new(),
            overrides: true,
            reads: true,
            no_new_privileges: false,
            unmapped: false,
            processes: None,
            no_files: false,
            bounding: u64::MAX,
            inheritable: 0,
            stack: 8 << 20,
            space: u64::MAX,
            protects_links: false,
            no_descriptor: false,
            large_table: false,
        },
        formats: Vec::new(),
        modprobe: String::new(),
    }
}

/// What happens, with the steps as `execute /a` and the exe that they are made under.
pub fn start(sample: &Sample, call: &Call, release: &str) -> (Vec<String>, KernelEnding) {
    let mut steps = Vec::new();
    let kernel = Release::of(release).unwrap();
    let ending = exec(&sample.0, call, kernel, &mut |step| {
        steps.push(words(step));
        Answer::Go
    });
    (steps, ending)
}

/// The running program of a start that goes well.
pub fn running(sample: &Sample, call: &Call) -> Started {
    match start(sample, call, "7.3").1 {
        KernelEnding::Runs(running) => *running,
        other => panic!("{other:?}"),
    }
}

/// What the loader opens, refused what is said.
pub fn libraries(sample: &Sample, call: &Call, refused: &str) -> (Vec<String>, Loaded) {
    let mut steps = Vec::new();
    let running = running(sample, call);
    let loaded = load(&sample.0, &running, &mut |step| {
        steps.push(step.path.clone());
        match step.path == refused {
            true => Answer::Refuse("EPERM".to_owned()),
            false => Answer::Go,
        }
    });
    (steps, loaded)
}

fn words(step: &PredictedStep) -> String {
    let what = if step.execute { "execute" } else { "open" };
    format!("{what} {} by {}", step.path, step.exe)
}

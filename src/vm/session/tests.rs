//! Sessions with a shell script as their machine.

use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use super::breakdown::ended;
use super::*;
use crate::wire::LinkError;

/// A session with a shell script as its machine; what it writes are its records. The pipes for
/// the rest stay open, and it is killed when it is dropped.
fn session(script: &str) -> (Session, [std::io::PipeWriter; 2]) {
    let (complaints, other) = std::io::pipe().unwrap();
    let mut child = Command::new("/bin/sh")
        .args(["-c", script])
        .stdout(Stdio::piped())
        .stderr(other.try_clone().unwrap())
        .spawn()
        .unwrap();
    let records = child.stdout.take().unwrap().into();
    let (console, one) = std::io::pipe().unwrap();
    // A machine without a monitor does not answer.
    let (control, _) = std::os::unix::net::UnixStream::pair().unwrap();
    let running = Running {
        child,
        console: console.into(),
        records,
        complaints: complaints.into(),
        input: None,
        control: control.into(),
    };
    (Session::new(running, &[]), [one, other])
}

#[test]
fn a_guest_that_always_has_something_to_say_ends_at_the_limit_of_the_whole() {
    let greeting = r#"{"message":"hello","release":"1.0","version":""}"#;
    let script = format!("while echo '{greeting}'; do sleep 0.05; done");
    let (mut session, _open) = session(&script);
    let (never, _writer) = std::io::pipe().unwrap();
    let limits = Limits {
        boot: Duration::from_secs(60),
        whole: Duration::from_millis(500),
    };
    let mut heard = 0;
    let end = session.follow(limits, never.as_fd(), &mut |_| {
        heard += 1;
        Ok(Some(Duration::from_secs(60)))
    });
    assert!(matches!(end, Err(End::Whole(_))) && heard > 1);
}

#[test]
fn what_no_guest_of_ours_says_ends_the_session() {
    let (mut session, _open) = session(r#"echo '{"message":"exited","status":0}'; exec sleep 60"#);
    let (never, _writer) = std::io::pipe().unwrap();
    let limits = Limits {
        boot: Duration::from_secs(60),
        whole: Duration::from_secs(60),
    };
    let mut heard = |_| Err("it lies".to_owned());
    let end = session.follow(limits, never.as_fd(), &mut heard);
    assert!(matches!(end, Err(End::Nonsense(what)) if what == "it lies"));
}

#[test]
fn the_time_in_a_run_queue_is_the_second_number() {
    let delay = Some(Duration::from_millis(1500));
    assert_eq!(run_delay("7 1500000000 3\n"), delay);
    assert_eq!(run_delay("7"), None);
}

#[test]
fn a_machine_that_closes_its_channel_first_has_its_own_status() {
    let (mut session, pipes) = session("exec >&-; sleep 0.3; exit 3");
    let (never, _writer) = std::io::pipe().unwrap();
    let limits = Limits {
        boot: Duration::from_secs(60),
        whole: Duration::from_secs(60),
    };
    let end = session.follow(limits, never.as_fd(), &mut |_| Ok(None));
    assert!(matches!(end, Err(End::Channel(LinkError::Closed))));
    drop(pipes);
    session.let_end();
    assert_eq!(ended(session.end()), " with status 3");
}

#[test]
fn what_a_machine_complains_of_is_kept_to_its_limit() {
    let mut kept = Vec::new();
    for _ in 0..100 {
        keep(&mut kept, &[b'x'; 4096]);
    }
    assert_eq!(kept.len(), COMPLAINTS);
}

#[test]
fn a_clock_that_is_ahead_of_real_time_is_not_kept() {
    let real = Duration::from_secs(4);
    assert!(unhurried(Duration::from_millis(6100), real).is_ok());
    let error = unhurried(Duration::from_secs(60), real).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its clock runs too fast, 60.0 s in 4.0 s"
    );
}

#[test]
fn a_flood_that_is_no_message_is_silence() {
    let (mut session, _open) = session("while printf x; do sleep 0.02; done");
    let (never, _writer) = std::io::pipe().unwrap();
    let limits = Limits {
        boot: Duration::from_millis(300),
        whole: Duration::from_secs(60),
    };
    let mut heard = |_| Ok(None);
    let end = session.follow(limits, never.as_fd(), &mut heard);
    assert!(matches!(end, Err(End::Deadline(..))));
}

#[test]
fn input_that_the_machine_does_not_take_keeps_nobody_from_the_end() {
    let (mut session, _open) = session("exec sleep 60");
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut input = Input::new(ours.into());
    // More than a socket holds.
    input.left = vec![0; 8 << 20];
    input.wanted = true;
    session.input = Some(input);
    let (never, _writer) = std::io::pipe().unwrap();
    let limits = Limits {
        boot: Duration::from_secs(60),
        whole: Duration::from_millis(300),
    };
    let end = session.follow(limits, never.as_fd(), &mut |_| Ok(None));
    assert!(matches!(end, Err(End::Whole(_))));
    let input = session.input.as_ref().unwrap();
    assert!(input.wanted && !input.left.is_empty());
}

#[test]
fn input_comes_as_it_was_read_however_slowly_it_is_taken() {
    use std::io::Read as _;
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut input = Input::new(ours.into());
    let sent: Vec<u8> = (0..1 << 20).map(|place| place as u8).collect();
    input.left.clone_from(&sent);
    let mut taken = Vec::new();
    while !input.left.is_empty() {
        input.hand_on();
        let mut some = vec![0; 64 << 10];
        let length = theirs.read(&mut some).unwrap();
        taken.extend_from_slice(&some[..length]);
    }
    drop(input);
    theirs.read_to_end(&mut taken).unwrap();
    assert!(taken == sent);
}

//! The room that arguments, stack and segments have.

use super::*;

/// Whether arguments of these lengths after `/a` are taken, with this limit of the stack.
fn fits(stack: u64, lengths: &[usize]) -> bool {
    let end = ends(&plain(), "/a", "7.3", |call| {
        call.caller.stack = stack;
        call.argv
            .extend(lengths.iter().map(|length| "x".repeat(*length)));
    });
    end != "E2BIG"
}

#[test]
fn arguments_have_128_kilobytes_at_the_least() {
    // Two pointers, and the path twice with its NUL.
    let room = 131_072 - 2 * 8 - 2 * 3;
    assert!(fits(1 << 19, &[room - 1]) && !fits(1 << 19, &[room]));
}

#[test]
fn arguments_have_a_quarter_of_the_stack() {
    let mut lengths = vec![131_071; 15];
    let room = (2 << 20) - 17 * 8 - 2 * 3 - 15 * 131_072;
    lengths.push(room - 1);
    assert!(fits(8 << 20, &lengths));
    lengths[15] += 1;
    assert!(!fits(8 << 20, &lengths));
}

#[test]
fn arguments_have_six_megabytes_at_the_most() {
    let mut lengths = vec![131_071; 47];
    let room = (6 << 20) - 49 * 8 - 2 * 3 - 47 * 131_072;
    lengths.push(room - 1);
    assert!(fits(1 << 30, &lengths));
    lengths[47] += 1;
    assert!(!fits(1 << 30, &lengths));
}

#[test]
fn the_environment_counts_like_arguments() {
    let end = |length| {
        ends(&plain(), "/a", "7.3", |call| {
            call.caller.stack = 1 << 19;
            call.environment.push("x".repeat(length));
        })
    };
    let room = 131_072 - 2 * 8 - 2 * 3;
    assert_eq!((&*end(room - 1), &*end(room)), ("runs", "E2BIG"));
}

#[test]
fn a_first_argument_that_is_missing_has_a_pointer() {
    let end = |length| {
        ends(&plain(), "/a", "7.3", |call| {
            call.caller.stack = 1 << 19;
            call.argv.clear();
            call.environment.push("x".repeat(length));
        })
    };
    let room = 131_072 - 2 * 8 - 3;
    assert_eq!((&*end(room - 1), &*end(room)), ("runs", "E2BIG"));
}

#[test]
fn one_argument_has_128_kilobytes_at_the_most() {
    assert!(fits(8 << 20, &[131_071]) && !fits(8 << 20, &[131_072]));
}

#[test]
fn arguments_end_where_the_stack_does() {
    // The word at the top, and the path twice with its NUL.
    let room = 8192 - 8 - 2 * 3;
    assert!(fits(8192, &[room - 1]) && !fits(8192, &[room]));
    // The first page is there.
    assert!(fits(0, &[4096 - 15]) && !fits(0, &[4096 - 14]));
}

#[test]
fn what_an_interpreter_adds_counts_and_what_it_replaces_does_not() {
    let sample = plain().file("/s", b"#!/a\n");
    let end = |length| {
        ends(&sample, "/s", "7.3", |call| {
            call.caller.stack = 1 << 19;
            call.argv = vec!["zero".to_owned(), "x".repeat(length)];
        })
    };
    // Two pointers; the name that the program is known by, and `/a /s` as its first arguments.
    let room = 131_072 - 2 * 8 - 3 * 3;
    assert_eq!((&*end(room - 1), &*end(room)), ("runs", "E2BIG"));
}

#[test]
fn an_argument_that_was_replaced_takes_no_page() {
    let sample = plain().file("/s", b"#!/a\n");
    let end = |pages: u64| {
        ends(&sample, "/s", "7.3", |call| {
            call.caller.space = pages * 4096;
            call.argv = vec!["x".repeat(5000)];
        })
    };
    // One of arguments, 32 of stack, one of the program.
    assert_eq!((&*end(33), &*end(34)), ("SIGSEGV", "runs"));
}

#[test]
fn an_argument_that_was_replaced_takes_no_byte() {
    let sample = plain().file("/s", b"#!/a\n");
    let end = |length| {
        ends(&sample, "/s", "7.3", |call| {
            call.caller.space = 34 * 4096;
            call.argv = vec!["x".repeat(5000), "y".repeat(length)];
        })
    };
    // The word at the top, the name that the program is known by, and `/a /s` as its first arguments.
    let page = 4096 - 8 - 3 * 3;
    assert_eq!((&*end(page - 1), &*end(page)), ("runs", "SIGSEGV"));
}

#[test]
fn the_first_page_of_arguments_is_there_and_each_further_one_counts() {
    let end = |pages: u64, length| {
        ends(&plain(), "/a", "7.3", |call| {
            call.caller.space = pages * 4096;
            call.argv.push("x".repeat(length));
        })
    };
    assert_eq!((&*end(0, 1), &*end(1, 1)), ("SIGSEGV", "SIGSEGV"));
    assert_eq!((&*end(1, 5000), &*end(2, 5000)), ("E2BIG", "SIGSEGV"));
}

#[test]
fn a_stack_has_no_more_pages_than_its_limit() {
    let end = |pages: u64| {
        ends(&plain(), "/a", "7.3", |call| {
            call.caller.stack = 10 * 4096;
            call.caller.space = pages * 4096;
        })
    };
    assert_eq!((&*end(10), &*end(11)), ("SIGSEGV", "runs"));
}

#[test]
fn a_stack_has_the_pages_that_are_taken() {
    let end = |pages: u64| {
        ends(&plain(), "/a", "7.3", |call| {
            call.caller.stack = 0;
            call.caller.space = pages * 4096;
        })
    };
    assert_eq!((&*end(1), &*end(2)), ("SIGSEGV", "runs"));
}

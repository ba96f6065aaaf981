//! Puts all mutants of a file into it, each behind `crate::mutant::on(ID)`. Pure.
//!
//! Lines stay where they are. A branch that is the mutant has the code as it was, so that mutants in mutants
//! do not multiply: one is switched on at a time.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, Result};
use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Block, Expr, ExprBinary, ExprUnary, ReturnType, Signature, Type};

use crate::mutant::{Genre, Mutant};

/// A file with its mutants.
#[derive(Debug, Default)]
pub struct Instrumented {
    /// Its text.
    pub text: String,
    /// Where each mutant's own code is in it.
    pub regions: Vec<(usize, Range<usize>)>,
    /// Mutants that have no place in it: what they would make is no Rust.
    pub without: Vec<usize>,
}

/// Text before and after a piece of code.
#[derive(Debug)]
struct Wrap {
    code: Range<usize>,
    before: Vec<Piece>,
    after: Vec<Piece>,
}

/// A part of such a text, and the mutant that it belongs to.
#[derive(Debug)]
struct Piece(Option<usize>, String);

/// Puts mutants into a file, whose text is `text`.
///
/// # Errors
///
/// The file is not Rust.
pub fn instrument(text: &str, mutants: &[(usize, &Mutant)]) -> Result<Instrumented> {
    let file = syn::parse_file(text).context("failed to parse it")?;
    let mut finder = Finder::default();
    for (id, mutant) in mutants {
        let start = mutant.span.start.offset(text);
        let places = finder.wanted.entry((start, mutant.genre as u8));
        places.or_default().push((*id, mutant.replacement.clone()));
    }
    finder.visit_file(&file);
    let mut wraps = finder.wraps;
    wraps.sort_by_key(|wrap| (wrap.code.start, std::cmp::Reverse(wrap.code.end)));
    let mut out = Instrumented::default();
    render(text, 0..text.len(), &mut wraps.as_slice(), &mut out);
    let placed = |id: &usize| out.regions.iter().any(|(own, _)| own == id);
    let without = mutants.iter().map(|(id, _)| *id).filter(|id| !placed(id));
    out.without = without.collect();
    Ok(out)
}

fn render(text: &str, code: Range<usize>, wraps: &mut &[Wrap], out: &mut Instrumented) {
    let mut at = code.start;
    while let Some((first, rest)) = wraps.split_first() {
        if first.code.start >= code.end {
            break;
        }
        *wraps = rest;
        out.text += &text[at..first.code.start];
        put(&first.before, out);
        render(text, first.code.clone(), wraps, out);
        put(&first.after, out);
        at = first.code.end;
    }
    out.text += &text[at..code.end];
}

fn put(pieces: &[Piece], out: &mut Instrumented) {
    for Piece(id, text) in pieces {
        let start = out.text.len();
        out.text += text;
        if let Some(id) = id {
            out.regions.push((*id, start..out.text.len()));
        }
    }
}

/// Walks a file and finds what is wanted.
#[derive(Default)]
struct Finder {
    /// By offset and genre.
    wanted: BTreeMap<(usize, u8), Vec<(usize, String)>>,
    wraps: Vec<Wrap>,
}

impl Finder {
    fn take(&mut self, at: usize, genre: Genre) -> Vec<(usize, String)> {
        let wanted = self.wanted.remove(&(at, genre as u8));
        wanted.unwrap_or_default()
    }

    /// `if on(1) { mutant } else { the code }`.
    fn choose(&mut self, code: Range<usize>, mutants: Vec<(usize, String)>) {
        if mutants.is_empty() {
            return;
        }
        let open = Piece(None, "(".to_owned());
        let branch = |(id, own): (usize, String)| {
            Piece(Some(id), format!("if {} {{ {own} }} else ", on(id)))
        };
        let mut before = vec![open];
        before.extend(mutants.into_iter().map(branch));
        before.push(Piece(None, "{ ".to_owned()));
        let after = vec![Piece(None, " })".to_owned())];
        self.wraps.push(Wrap {
            code,
            before,
            after,
        });
    }

    fn body(&mut self, signature: &Signature, block: &Block) {
        let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) else {
            return;
        };
        let code = range(first.span()).start..range(last.span()).end;
        let mutants = self.take(code.start, Genre::FnValue);
        if mutants.is_empty() {
            return;
        }
        let wrap = match &signature.output {
            ReturnType::Type(_, kind) if matches!(**kind, Type::ImplTrait(_)) => {
                iterator(code, mutants)
            }
            _ => {
                let early =
                    |(id, value)| Piece(Some(id), format!("if {} {{ return {value}; }} ", on(id)));
                Wrap {
                    code,
                    before: mutants.into_iter().map(early).collect(),
                    after: Vec::new(),
                }
            }
        };
        self.wraps.push(wrap);
    }
}

/// An iterator of another type cannot be returned: this one is emptied, and gets one more.
fn iterator(code: Range<usize>, mutants: Vec<(usize, String)>) -> Wrap {
    let mut after = vec![Piece(None, " })".to_owned())];
    for (id, value) in mutants {
        let once = value.strip_prefix("::std::iter::once(");
        let more = match once.and_then(|value| value.strip_suffix(')')) {
            Some(value) => format!(".chain(if {} {{ Some({value}) }} else {{ None }})", on(id)),
            None => String::new(),
        };
        let none = format!(".take(if {} {{ 0 }} else {{ usize::MAX }})", on(id));
        after.push(Piece(Some(id), none + &more));
    }
    Wrap {
        code,
        before: vec![Piece(None, "({ ".to_owned())],
        after,
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, expr: &'ast ExprBinary) {
        let operator = range(expr.op.span()).start;
        let mutants = self.take(operator, Genre::BinaryOperator);
        // `if let Some(a) = b || c` is no Rust.
        let is_chain = matches!(expr.op, BinOp::And(_)) && has_let(&expr.left, &expr.right);
        if !is_chain {
            let (left, right) = (expr.left.to_token_stream(), expr.right.to_token_stream());
            let own = |(id, new): (usize, String)| (id, format!("{left} {new} {right}"));
            let mutants = mutants.into_iter().map(own).collect();
            self.choose(range(expr.span()), mutants);
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast ExprUnary) {
        let mutants = self.take(range(expr.op.span()).start, Genre::UnaryOperator);
        let own = |(id, _)| (id, expr.expr.to_token_stream().to_string());
        self.choose(range(expr.span()), mutants.into_iter().map(own).collect());
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        for (id, _) in self.take(range(arm.span()).start, Genre::MatchArm) {
            self.wraps.push(Wrap {
                code: range(arm.pat.span()),
                before: Vec::new(),
                after: vec![Piece(Some(id), format!(" if !{}", on(id)))],
            });
        }
        if let Some((_, guard)) = &arm.guard {
            let code = range(guard.span());
            let mutants = self.take(code.start, Genre::MatchArmGuard);
            if has_let(guard, guard) {
                // What it binds is needed; that it is never taken can be said.
                let never = mutants.into_iter().filter(|(_, new)| new == "false");
                let before = never.map(|(id, _)| Piece(Some(id), format!("!{} && ", on(id))));
                let before = before.collect();
                self.wraps.push(Wrap {
                    code,
                    before,
                    after: Vec::new(),
                });
            } else {
                self.choose(code, mutants);
            }
        }
        visit::visit_arm(self, arm);
    }
}

fn has_let(left: &Expr, right: &Expr) -> bool {
    let one = |expr: &Expr| match expr {
        Expr::Let(_) => true,
        Expr::Binary(inner) if matches!(inner.op, BinOp::And(_)) => {
            has_let(&inner.left, &inner.right)
        }
        _ => false,
    };
    one(left) || one(right)
}

fn on(id: usize) -> String {
    format!("crate::mutant::on({id})")
}

fn range(span: Span) -> Range<usize> {
    span.byte_range()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::{Place, Span};

    fn place(text: &str, at: usize) -> Place {
        Place {
            line: 1,
            column: text[..at].chars().count() + 1,
        }
    }

    /// `code` with a mutant of each place that is given by what stands there.
    fn instrumented(code: &str, mutants: &[(&str, Genre, &str)]) -> Instrumented {
        let mutants: Vec<Mutant> = mutants
            .iter()
            .map(|(at, genre, new)| {
                let start = code.find(at).unwrap();
                Mutant {
                    file: String::new(),
                    function: None,
                    genre: *genre,
                    replacement: (*new).to_owned(),
                    span: Span {
                        start: place(code, start),
                        end: place(code, start + at.len()),
                    },
                }
            })
            .collect();
        let numbered: Vec<_> = mutants.iter().enumerate().collect();
        instrument(code, &numbered).unwrap()
    }

    fn text(code: &str, mutants: &[(&str, Genre, &str)]) -> String {
        let text = instrumented(code, mutants).text;
        text.replace("crate::mutant::on", "on")
    }

    #[test]
    fn a_value_is_returned_early() {
        assert_eq!(
            text("fn a() -> u8 { b }", &[("b }", Genre::FnValue, "0")]),
            "fn a() -> u8 { if on(0) { return 0; } b }"
        );
    }

    #[test]
    fn an_iterator_stays_of_its_type() {
        assert_eq!(
            text(
                "fn a() -> impl Iterator<Item = u8> { b }",
                &[("b }", Genre::FnValue, "::std::iter::once(1)")]
            ),
            "fn a() -> impl Iterator<Item = u8> { ({ b }).take(if on(0) { 0 } else { usize::MAX })\
             .chain(if on(0) { Some(1) } else { None }) }"
        );
    }

    #[test]
    fn operators_nest_and_do_not_multiply() {
        assert_eq!(
            text(
                "fn a() { b == c && d }",
                &[
                    ("==", Genre::BinaryOperator, "!="),
                    ("&&", Genre::BinaryOperator, "||")
                ]
            ),
            "fn a() { (if on(1) { b == c || d } else { (if on(0) { b != c } else { b == c }) && d }) }"
        );
    }

    #[test]
    fn a_chain_with_let_has_no_or() {
        let code = "fn a() { if let Some(b) = c && d {} }";
        let found = instrumented(code, &[("&&", Genre::BinaryOperator, "||")]);
        assert_eq!((found.text.as_str(), found.without), (code, vec![0]));
    }

    #[test]
    fn an_operator_goes() {
        assert_eq!(
            text("fn a() { !b }", &[("!", Genre::UnaryOperator, "")]),
            "fn a() { (if on(0) { b } else { !b }) }"
        );
    }

    #[test]
    fn an_arm_is_never_taken() {
        assert_eq!(
            text(
                "fn a() { match b { 1 => c, _ => d } }",
                &[("1 =>", Genre::MatchArm, "")]
            ),
            "fn a() { match b { 1 if !on(0) => c, _ => d } }"
        );
    }

    #[test]
    fn a_guard_is_always_true() {
        assert_eq!(
            text(
                "fn a() { match b { e if f => c, _ => d } }",
                &[("f =>", Genre::MatchArmGuard, "true")]
            ),
            "fn a() { match b { e if (if on(0) { true } else { f }) => c, _ => d } }"
        );
    }

    #[test]
    fn a_mutant_knows_its_own_code() {
        let found = instrumented("fn a() { !b }", &[("!", Genre::UnaryOperator, "")]);
        let (id, region) = found.regions[0].clone();
        assert_eq!(
            (id, &found.text[region]),
            (0, "if crate::mutant::on(0) { b } else ")
        );
    }
}

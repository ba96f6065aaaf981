//! The words of the table.

/// Writes an enum's cases as words.
macro_rules! words {
    ($($kind:ident { $($case:ident => $word:literal,)* })*) => {
        $(impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $($kind::$case => $word,)* })
            }
        })*
    };
}
pub(super) use words;

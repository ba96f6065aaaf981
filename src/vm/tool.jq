# A line's groups by name.
def line($groups): capture($groups) // error("its adapter does not know the line: \(.)");
# What stands between double quotes, with the backslashes of C; anything else as it is.
def unquoted:
  def hex: [. / 16 | floor, . % 16] | map("0123456789abcdef"[.:. + 1]) | "\\u00" + add;
  def octal: reduce explode[] as $digit (0; . * 8 + $digit - 48);
  if startswith("\"") then
    gsub("\\\\(?<code>[0-7]{1,3})"; .code | octal | hex) | gsub("\\\\x(?<code>[0-9a-f]{2})"; "\\u00\(.code)")
    | gsub("\\\\v"; "\\u000b") | gsub("\\\\a"; "\\u0007") | fromjson
  else . end;

# SPDX-License-Identifier: MIT
"""Reading C the way the rule checkers need it: what is code, what is text, what is remark.

split(text) blanks comments and the insides of literals, keeping every line break, so that a match
in the result is a match in code and its line number is right; the literals come back beside it.
"""
import re

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*'                       # comments
    r'|"(?:\\.|[^"\\\n])*"'                     # strings
    r"|'(?:\\.|[^'\\\n])+'",                    # characters
    re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def split(text):
    """Returns (code, strings): `text` without comments and literals; [(line, literal)]."""
    strings = []

    def blank(match):
        token = match.group(0)
        if token[0] == '"':
            strings.append((line_of(text, match.start()), token[1:-1]))
        keep = token[0] if token[0] in '"\'' else ''
        return keep + '\n' * token.count('\n') + (keep or ' ')

    return _TOKEN.sub(blank, text), strings


def includes(text):
    """Returns [(line, '"' or '<', path)] of the #include lines outside comments."""
    remarks = re.compile(r'/\*.*?\*/', re.S)
    bare = remarks.sub(lambda m: '\n' * m.group(0).count('\n'), text)
    return [(line_of(bare, m.start(1)), m.group(1), m.group(2)) for m in _INCLUDE.finditer(bare)]


def line_of(text, offset):
    """The line number (from 1) that `offset` stands on."""
    return text.count('\n', 0, offset) + 1

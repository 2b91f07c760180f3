"""A reader of the shell's grammar, as far as quoting depends on it."""

from __future__ import annotations

import re
from collections.abc import Callable

from rota.model.errors import TemplateError
from rota.templates.quoting import NUMERIC_TESTS, UNSURE, Command, Frame, HereDoc, Kind, Site

_BREAKS = frozenset(" \t\n;&|<>()")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=", re.ASCII)
_PARAMETER_TEXT = re.compile(r"\$\{(?:[A-Za-z_]\w*|\d+|[@*])(:?[-=+?]|##?|%%?)", re.ASCII)
_HEREDOC = re.compile(r"""<<(-?)[ \t]*((?:\\.|'[^'\n]*'|"[^"\n]*"|[^\s;&|<>()'"\\`])*)""")
_REDIRECT = re.compile(r"&>>?|[<>][<>|&]?")
_KEYWORDS = frozenset(["if", "then", "elif", "else", "while", "until", "do", "for", "!", "{", "time"])


class Reader:
    """Reads a shell text in pieces with `feed`, and knows where it is: a stack of what is open.

    `sites`: the places of values, as the scanner notes them; a `[[ ]]` that turns out to compare
    numbers marks them here.
    """

    def __init__(self) -> None:
        self.sites: dict[int, Site] = {}
        self._stack = [Frame(Kind.COMMAND)]
        self._last = ""
        self._escaped = False  # the last character was a backslash that escapes the next
        self._dollar = False  # ... a `$` that begins nothing yet
        self._delimiter = False  # ... of a here-document's delimiter, which may go on
        self._readers: dict[Kind, Callable[[str, int], int]] = {
            Kind.COMMAND: self._in_command,
            Kind.SINGLE: self._in_single,
            Kind.DOUBLE: self._in_double,
            Kind.ANSI: self._in_ansi,
            Kind.PARAMETER: self._in_parameter,
            Kind.ARITHMETIC: self._in_arithmetic,
            Kind.SUBSCRIPT: self._in_subscript,
            Kind.BRACKET: self._in_subscript,
            Kind.TEST: self._in_test,
            Kind.HEREDOC: self._in_heredoc,
            Kind.COMMENT: self._in_comment,
        }

    def feed(self, text: str) -> None:
        """Read a piece of the author's text."""
        if not text:
            return
        self._dollar = self._delimiter = False
        self._last = text[-1]
        position = 0
        if self._escaped:
            self._escaped = False
            self._grow_escaped(text[0])
            position = 1
        while position < len(text):
            position = self._readers[self._top.kind](text, position)

    @property
    def _top(self) -> Frame:
        return self._stack[-1]

    def _push(self, frame: Frame, written: str = "") -> None:
        self._grow(written)
        self._stack.append(frame)

    def _pop(self) -> None:
        if len(self._stack) > 1:
            self._stack.pop()

    def _grow(self, text: str) -> None:
        """Add to the word, or to the line of a here-document, that the present place is part of."""
        for frame in reversed(self._stack):
            if frame.kind in (Kind.COMMAND, Kind.TEST):
                frame.word = (frame.word or "") + text
                return
            if frame.kind is Kind.HEREDOC:
                frame.line += text
                return
            if frame.kind is Kind.COMMENT:
                return

    def _escape(self, text: str, position: int) -> int:
        following = text[position + 1 : position + 2]
        self._escaped = not following
        self._grow_escaped(following)
        return position + 2

    def _grow_escaped(self, char: str) -> None:
        if char != "\n":  # which the shell takes out, together with the backslash
            self._grow(f"\\{char}" if self._top.kind is Kind.HEREDOC else char)

    def _quoting(self, text: str, position: int) -> int | None:
        """Past a backslash, or into quotes or an expansion; None for any other character."""
        char, top = text[position], self._top
        if char == "\\":
            return self._escape(text, position)
        if char == '"' and top.kind is not Kind.HEREDOC:
            self._push(Frame(Kind.DOUBLE, soft=True))
            return position + 1
        if char == "`":
            self._push(Frame(Kind.COMMAND, close="`"), "``")
            return position + 1
        if not top.soft and char == "'":
            self._push(Frame(Kind.SINGLE))
            return position + 1
        if not top.soft and text.startswith(("$'", '$"'), position):
            soft = text[position + 1] == '"'
            self._push(Frame(Kind.DOUBLE if soft else Kind.ANSI, soft=soft))
            return position + 2
        return self._expansion(text, position) if char == "$" else None

    def _expansion(self, text: str, position: int) -> int:
        following = text[position + 1 : position + 2]
        if text.startswith("$((", position):
            self._push(Frame(Kind.ARITHMETIC, close="))", soft=True, number=True), "$()")
            return position + 3
        if following == "(":
            self._push(Frame(Kind.COMMAND, close=")"), "$()")
        elif following == "[":
            self._push(Frame(Kind.ARITHMETIC, close="]", soft=True, number=True), "$()")
        elif following == "{":
            usual = _PARAMETER_TEXT.match(text, position)
            # After `#` and `%` comes a pattern, in which quotes count even within quotes.
            pattern = usual is not None and usual[1][0] in "#%"
            self._push(
                Frame(Kind.PARAMETER, soft=self._top.soft and not pattern, number=usual is None), "${}"
            )
            return usual.end() if usual else position + 2
        elif following and following in "$?!#@*-0123456789":
            self._grow("$" + following)
        else:
            self._dollar = not following
            self._grow("$")
            return position + 1
        return position + 2

    def _in_command(self, text: str, position: int) -> int:
        char, top = text[position], self._top
        if char == ")":
            self._end_word()
        if char == top.close and not (char == ")" and top.cases):
            self._end_word()
            self._pop()
            return position + 1
        if char == "#" and top.word == UNSURE:
            raise TemplateError("the shell text has a `#` right after a tag", hint="put a blank between them")
        if char == "#" and top.word is None:
            self._stack.append(Frame(Kind.COMMENT))
            return position + 1
        if text.startswith(("<", ">", "&>"), position):
            return self._redirect(text, position)
        if char in _BREAKS:
            return self._break(text, position)
        if char == "[":
            return self._bracket(text, position)
        past = self._quoting(text, position)
        if past is not None:
            return past
        self._grow(char)
        return position + 1

    def _end_word(self) -> None:
        top = self._top
        if top.word is None:
            return
        word, top.word = top.word, None
        top.command.words.append(word)
        if top.begins:
            top.cases += (word == "case") - (word == "esac" and top.cases > 0)
            top.begins = word in _KEYWORDS or _ASSIGNMENT.match(word) is not None

    def _break(self, text: str, position: int) -> int:
        """A blank, a bracket, or what ends a command."""
        char, top = text[position], self._top
        if text.startswith("((", position) and top.word in (None, UNSURE):
            self._stack.append(Frame(Kind.ARITHMETIC, close="))", soft=True, number=True))
            return position + 2
        self._end_word()
        if char in " \t":
            return position + 1
        if char == "(":
            self._stack.append(Frame(Kind.COMMAND, close=")"))
            return position + 1
        double = text.startswith(("||", "&&", ";;"), position)
        ended, top.command, top.begins = top.command, Command(), True
        if char == "|" and not double:
            ended.feeds = top.command
        if char == "\n":
            self._open_heredoc()
        return position + 1 + double

    def _redirect(self, text: str, position: int) -> int:
        self._end_word()
        command = self._top.command
        if text.startswith("<<<", position):
            command.words.append("<<<")
            return position + 3
        if found := _HEREDOC.match(text, position):
            self._delimiter = found.end() == len(text)
            if written := found[2]:
                delimiter = re.sub(r"\\(.)|['\"]", r"\1", written)
                heredoc = HereDoc(delimiter, any(c in written for c in "\\'\""), bool(found[1]), command)
                self._top.pending += (heredoc,)
            return found.end()
        found = _REDIRECT.match(text, position)
        return found.end() if found else position + 1

    def _bracket(self, text: str, position: int) -> int:
        word, following = self._top.word, text[position + 1 : position + 2]
        if word is None and following == "[" and text[position + 2 : position + 3] in (" ", "\t", "\n"):
            self._top.command.words.append("[[")
            self._top.begins = False
            self._stack.append(Frame(Kind.TEST))
            return position + 2
        if word is None and not (following and following in _BREAKS):
            self._push(Frame(Kind.BRACKET, number=True), "[")
        elif word is not None and _NAME.fullmatch(word.replace(UNSURE, "_")):
            self._push(Frame(Kind.SUBSCRIPT, number=True), "[")
        else:
            self._grow("[")
        return position + 1

    def _open_heredoc(self) -> None:
        top = self._top
        if top.pending:
            heredoc, top.pending = top.pending[0], top.pending[1:]
            self._stack.append(Frame(Kind.HEREDOC, soft=True, heredoc=heredoc))

    def _in_heredoc(self, text: str, position: int) -> int:
        top = self._top
        heredoc = top.heredoc
        if text[position] == "\n" and heredoc is not None:
            line = top.line.lstrip("\t") if heredoc.tabs else top.line
            top.line = ""
            if line == heredoc.delimiter:
                self._pop()
                self._open_heredoc()
            return position + 1
        past = None if heredoc is None or heredoc.literal else self._quoting(text, position)
        if past is not None:
            return past
        self._grow(text[position])
        return position + 1

    def _in_single(self, text: str, position: int) -> int:
        if text[position] == "'":
            self._pop()
        else:
            self._grow(text[position])
        return position + 1

    def _in_double(self, text: str, position: int) -> int:
        if text[position] == '"':
            self._pop()
            return position + 1
        return self._plain(text, position)

    def _in_ansi(self, text: str, position: int) -> int:
        if text[position] == "\\":
            return self._escape(text, position)
        return self._in_single(text, position)

    def _in_parameter(self, text: str, position: int) -> int:
        if text[position] == "}":
            self._pop()
            return position + 1
        return self._plain(text, position)

    def _in_arithmetic(self, text: str, position: int) -> int:
        char, top = text[position], self._top
        if char == "(":
            top.depth += 1
        elif char == ")" and top.depth:
            top.depth -= 1
        elif char == top.close[0]:
            self._pop()
            return position + len(top.close) if text.startswith(top.close, position) else position + 1
        return self._plain(text, position)

    def _in_subscript(self, text: str, position: int) -> int:
        char = text[position]
        if char == "]":
            self._pop()
        elif char == "\n" or (self._top.kind is Kind.BRACKET and char in _BREAKS):
            self._pop()  # it was no subscript: what follows is read as if it had not begun
            return position
        elif char == "[":
            self._stack.append(Frame(Kind.SUBSCRIPT, number=True))
        return self._plain(text, position)

    def _in_test(self, text: str, position: int) -> int:
        top = self._top
        if text[position] not in _BREAKS:
            return self._plain(text, position)
        if text.startswith(("<(", ">("), position):
            self._push(Frame(Kind.COMMAND, close=")"), "<()")
            return position + 2
        word, top.word = top.word, None
        if word == "]]":
            self._pop()
            return position
        if word in NUMERIC_TESTS:
            top.number = True
            for index in top.sites:
                self.sites[index].number = True
        if text.startswith(("&&", "||"), position):
            top.number, top.sites = False, ()
        return position + 1

    def _in_comment(self, text: str, position: int) -> int:
        below = self._stack[-2]
        if text[position] == "\n" or text[position] == below.close == "`":
            self._pop()
            return position
        return position + 1

    def _plain(self, text: str, position: int) -> int:
        past = self._quoting(text, position)
        if past is not None:
            return past
        self._grow(text[position])
        return position + 1

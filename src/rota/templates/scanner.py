"""How a shell reads a text: enough of its grammar to know, at every value, which quoting holds there.

A value is never part of the script: it stands there as a reference to a variable. What is found out
here decides the form of that reference. A wrong guess about exotic syntax can split a value into
words, but cannot make a command of it. Where a shell would read even a variable's content as code
(arithmetic, subscripts), the place is marked `number`, and only whole numbers may go there.
"""

from __future__ import annotations

from dataclasses import replace

from rota.model.errors import TemplateError
from rota.templates.messages import quote
from rota.templates.quoting import Form, Frame, Kind, Place, Site
from rota.templates.reader import Reader

_RISKY, _RISKY_QUOTED = "$(<[", "$"  # characters that can begin a longer sign
_QUOTED = frozenset([Kind.SINGLE, Kind.DOUBLE, Kind.ANSI, Kind.PARAMETER, Kind.HEREDOC, Kind.COMMENT])


class Scanner(Reader):
    """Notes where values stand: `feed` the author's text, `value` where a value is.

    `sites` are the places of the values by index. `edge` asks whether a fork can begin or end here;
    `save` and `restore` go back to it.
    """

    def value(self, index: int, source: str) -> None:
        """Note a value (`source`: as the author wrote it). Raises TemplateError where none can be."""
        top = self._top
        self._refuse(top, source)
        # What a command inside arithmetic prints is read as arithmetic too: every level counts.
        number = any(frame.number for frame in self._stack)
        site = Site(source, Form.QUOTED, number and top.kind is not Kind.COMMENT)
        for frame in self._stack:
            if frame.kind is Kind.TEST:
                frame.sites += (index,)
        owner = next(frame for frame in reversed(self._stack) if frame.kind in (Kind.COMMAND, Kind.HEREDOC))
        if owner.heredoc is not None:
            site.heredoc = owner.heredoc
        else:
            site.command, site.word = owner.command, len(owner.command.words)
        if top.kind is Kind.SINGLE:
            site.form = Form.SINGLE
        elif not (top.soft or number or top.kind is Kind.COMMENT):
            site.form = Form.BARE
        self.sites[index] = site
        self._last = ""
        self._grow("\0")

    def edge(self, source: str) -> None:
        """Raise TemplateError when what follows a fork's tag could change the meaning of what is before it."""
        kinds = {frame.kind for frame in self._stack}
        risky = _RISKY_QUOTED if self._top.kind in _QUOTED else _RISKY
        if Kind.TEST in kinds:
            why, hint = "a `[[ ]]` cannot be put together from parts", "put the whole of it into each branch"
        elif self._delimiter or (self._last and self._last in risky):
            why, hint = (
                f"`{self._last}` right before a tag can mean several things",
                "put a blank between them",
            )
        else:
            return
        raise TemplateError(f"{quote(source)}: {why}", hint=hint)

    def save(self) -> Place:
        """The present place."""
        return Place(tuple(replace(frame) for frame in self._stack), self._escaped, self._last)

    def restore(self, place: Place) -> None:
        """Go back to a place."""
        self._stack = [replace(frame) for frame in place.stack]
        self._escaped, self._last = place.escaped, place.last
        self._dollar = self._delimiter = False

    def _refuse(self, top: Frame, source: str) -> None:
        if self._escaped:
            why, hint = "a backslash right before a value breaks its quoting", "take the backslash away"
        elif self._dollar and top.kind is not Kind.COMMENT:
            why, hint = "a `$` right before a value changes its meaning", "write the braces without the `$`"
        elif self._delimiter:
            why, hint = "a value cannot end a here-document", "write the delimiter out, as in <<EOF"
        elif top.kind is Kind.ANSI:
            why, hint = "nothing is expanded inside $'...'", 'use "..." around the value'
        elif top.heredoc is not None and top.heredoc.literal:
            why = "nothing is expanded in a here-document whose delimiter is quoted"
            hint = f"write <<{top.heredoc.delimiter} without quotes"
        else:
            return
        raise TemplateError(f"{quote(source)}: {why}", hint=hint)

"""Words: how a text becomes those that are indexed, which forms of a word belong together, how many tokens it has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Scripts that put no spaces between words: every character is indexed by itself, and a run of them is looked
# for as a phrase, which finds it inside any longer run. (Thai, Lao, Myanmar, Khmer; kana, Han, Hangul.)
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"
)
_EACH = re.compile(f"[{_SPACELESS}]")
_TOKEN = re.compile(
    rf"[{_SPACELESS}][\u0300-\u036f]*|[^\W_{_SPACELESS}][^\W_{_SPACELESS}\u0300-\u036f]*[\u0300-\u036f]*[^\W_{_SPACELESS}\u0300-\u036f]*"
)
_ACCENTED = re.compile(r"([a-z])[\u0300-\u036f]+")
_PIECE = re.compile(r"[A-Za-z]+|[0-9]+|\n|[^\W\d_]+|[^\s]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_DOUBLE = re.compile(r"([bdfgklmnprtz])\1$")

# Words of a question that are in every note: where there are others, those are what is looked for.
_STOPS = (
    "a about all an and any are as at be by can did do does for from had has have how i if in into is it its me my"
    " of on or our so that the their them then there these they this to us was we were what when where which who why"
    " will with would you your"
)
STOP_WORDS = frozenset(_STOPS.split())


def whole(text: str) -> str:
    """Without NUL, at which SQLite ends a text, and without halves of characters, which it refuses."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")


def spaced(text: str) -> str:
    """The text as it is indexed: composed, every character of a script without spaces standing alone."""
    return text if text.isascii() else _EACH.sub(r" \g<0> ", unicodedata.normalize("NFC", text))


def is_spaceless(text: str) -> bool:
    """Whether there is a character of such a script in it."""
    return not text.isascii() and _EACH.search(text) is not None


def fold(text: str) -> str:
    """Lower case, Latin letters without diacritics: how words are compared, and what SQLite's tokenizer makes of them."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", text.lower())
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", apart)).replace("ς", "σ")


def tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Every word of a text, folded, with where it begins and ends."""
    for found in _TOKEN.finditer(text):
        yield fold(found[0]), found.start(), found.end()


def stem(word: str) -> str:
    """What the forms of a folded word have in common; English endings alone: plans, planned, planning → plan."""
    if not word.isascii() or not word.isalpha():
        return word
    for ending, least in (("ings", 3), ("ing", 3), ("edly", 3), ("ed", 3), ("ly", 4)):
        if word.endswith(ending) and len(word) - len(ending) >= least and _has_vowel(word[: -len(ending)]):
            return _bare(_DOUBLE.sub(r"\1", word[: -len(ending)]))
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")) and len(word) > 4:
        return _bare(word[:-2])
    if word.endswith("s") and len(word) > 3 and word[-2] not in "su'":
        return _bare(word[:-1])
    return _bare(word)


def _bare(word: str) -> str:
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _has_vowel(text: str) -> bool:
    return any(c in "aeiouy" for c in text)


def estimate(text: str) -> int:
    """How many tokens a model will count in the text, rather too many than too few.

    A word of Latin letters counts one for each seven letters that it begins (four with accents), a number one for
    two digits, any other letter, sign or line end one by itself; what is beyond the basic plane three. Of English
    prose that is some tenth more than common tokenizers count.
    """
    count = 0
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece.isascii():
            if piece.isdigit():
                count += (len(piece) + 1) // 2
            else:
                count += 1 + (len(piece) - 1) // 7
        elif _LATIN.fullmatch(piece):
            count += 1 + (len(piece) - 1) // 4
        else:
            count += sum(3 if c > "\uffff" else 1 for c in piece)
    return count

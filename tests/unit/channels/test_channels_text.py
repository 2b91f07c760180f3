"""Texts are cut to a channel's length, and secrets hidden, without harm to the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rota.channels._text import clean, joined, masked, one_line, shorten, split, url_secrets
from rota.channels.slack import message_text


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_a_short_text_is_left_alone() -> None:
    assert split("*bold* _and_ [so](on)", 4096, 4) == ["*bold* _and_ [so](on)"]


def test_a_long_text_is_cut_at_line_ends_into_numbered_parts() -> None:
    lines = [f"line {number:04}" for number in range(200)]
    parts = split("\n".join(lines), 1000, 4)
    assert [part.splitlines()[0] for part in parts] == ["(1/3)", "(2/3)", "(3/3)"]
    assert [line for part in parts for line in part.splitlines()[1:]] == lines


def test_what_does_not_fit_into_all_parts_ends_in_an_ellipsis() -> None:
    parts = split("x" * 10_000, 1000, 4)
    assert len(parts) == 4
    assert parts[-1].endswith("…")
    assert not parts[0].endswith("…")


@given(st.text(st.sampled_from("a \n😀é"), max_size=400), st.integers(20, 90))
def test_no_part_is_longer_than_the_limit_and_nothing_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit, 100)
    assert all(units(part) <= limit for part in parts)
    bodies = [part.split("\n", 1)[1] if len(parts) > 1 else part for part in parts]
    assert "".join("".join(bodies).split()) == "".join(text.split())


def test_titles_are_one_line_and_never_end_a_sentence_silently() -> None:
    assert one_line("two\nlines\r\n here") == "two lines here"
    assert one_line("y" * 300) == "y" * 199 + "…"
    assert shorten("just so", 7) == "just so"


def test_what_no_channel_can_carry_is_taken_out() -> None:
    assert clean("a\0b\ud800c") == "ab?c"
    assert joined("", " \n") == "(no text)"


def test_everything_in_an_address_but_its_host_is_hidden() -> None:
    url = "https://ann:s3cret%2F@host.org:8443/services/T00/B00XYZ?token=abc123"
    said = "POST https://host.org:8443/services/T00/B00XYZ?token=abc123 as ann with s3cret/ failed: no answer from host.org"
    hidden = masked(said, url_secrets(url))
    assert "host.org" in hidden
    assert "no answer" in hidden
    assert not [word for word in ("T00", "B00XYZ", "abc123", "ann ", "s3cret") if word in hidden], hidden


def test_slack_cannot_be_made_to_mention_everyone() -> None:
    assert message_text("R&D *daily*", "<!channel> a < b && c") == (
        "*R&amp;D ∗daily∗*\n&lt;!channel&gt; a &lt; b &amp;&amp; c"
    )
    assert message_text("", "") == "(no text)"


def test_a_text_beyond_slacks_limit_is_cut_between_characters() -> None:
    text = message_text("", "&" * 20_000)
    assert len(text) <= 40_000
    assert text.removesuffix("…").replace("&amp;", "") == ""
    assert text.endswith("…")

"""What a step prints: caps, masks, and text that is always text."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from urllib.parse import quote

import pytest

from rota.engine.output import Masker, OutputLog, readable

SECRET = "s3cr3t-t0k€n/+x"
NOTHING = Masker({})


def log(path: Path, *, cap: int = 1_000, excerpt: int = 100, masker: Masker = NOTHING) -> OutputLog:
    return OutputLog(str(path / "deep" / "down" / "a.log"), cap, excerpt, masker)


def test_no_file_before_the_first_byte(tmp_path: Path) -> None:
    output = log(tmp_path)
    output.write("stdout", b"")
    output.close()
    assert list(tmp_path.iterdir()) == []
    assert (output.total, output.truncated, output.excerpt()) == (0, False, "")


def test_short_output_is_kept_whole_and_private(tmp_path: Path) -> None:
    output = log(tmp_path)
    output.write("stdout", b"one\n")
    output.write("stderr", b"two\n")
    output.close()
    assert output.path.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(output.path.stat().st_mode) == 0o600
    assert output.excerpt() == "one\ntwo\n"
    assert not output.truncated


def test_output_is_on_disk_while_the_step_runs(tmp_path: Path) -> None:
    output = log(tmp_path)
    output.write("stdout", b"first words\n")
    assert output.path.read_bytes() == b"first words\n"
    output.close()


def test_rotas_own_lines_are_marked_and_never_in_the_middle_of_another(tmp_path: Path) -> None:
    output = log(tmp_path)
    output.write("stdout", b"no newline")
    output.write("rota", b"retrying\nin 3 s\n")
    output.write("stdout", b"more\n")
    output.close()
    assert output.path.read_text() == "no newline\n[rota] retrying\n[rota] in 3 s\nmore\n"


def test_head_and_tail_are_kept_of_too_much(tmp_path: Path) -> None:
    output = log(tmp_path, cap=1_000)
    lines = [f"line {n:06}\n".encode() for n in range(10_000)]
    for line in lines:
        output.write("stdout", line)
    output.close()
    kept = output.path.read_bytes()
    assert kept.startswith(b"".join(lines[:60]))
    assert kept.endswith(b"".join(lines[-20:]))
    assert b"\n[... 119,000 bytes left out ...]\n" in kept
    assert len(kept) < 1_100
    assert output.truncated
    assert output.total == 120_000


def test_output_of_exactly_the_cap_is_whole(tmp_path: Path) -> None:
    output = log(tmp_path, cap=1_000)
    output.write("stdout", b"x" * 1_000)
    output.close()
    assert output.path.read_bytes() == b"x" * 1_000
    assert not output.truncated


def test_one_huge_piece_is_capped_like_many_small_ones(tmp_path: Path) -> None:
    output = log(tmp_path, cap=1_000)
    output.write("stdout", b"a" * 500 + b"b" * 5_000_000 + b"c" * 100)
    output.close()
    kept = output.path.read_bytes()
    assert kept.startswith(b"a" * 500 + b"b")
    assert kept.endswith(b"b" + b"c" * 100)
    assert len(kept) < 1_100


def test_the_excerpt_is_text_and_json_whatever_came(tmp_path: Path) -> None:
    output = log(tmp_path, excerpt=60)
    output.write("stdout", b"\x00\xff\xfe\x1b[31mred\x1b[0m\tok\r\nnext\x07")
    output.write("stdout", "€".encode() * 50)
    output.write("stdout", b"\x80\x80end")
    output.close()
    text = output.excerpt()
    assert json.loads(json.dumps(text)) == text
    assert text.encode().decode() == text
    assert not any(ord(char) < 32 and char not in "\n\t" for char in text)
    assert "red\tok\nnext" in text
    assert "bytes left out" in text
    assert text.endswith("end")


def test_an_excerpt_that_fits_has_no_character_cut_in_two(tmp_path: Path) -> None:
    output = log(tmp_path, excerpt=9)
    output.write("stdout", "€€€".encode())
    output.close()
    assert output.excerpt() == "€€€"


def test_a_progress_bar_becomes_lines() -> None:
    assert readable(b"10%\r20%\r\r\ndone\x9b") == "10%\n20%\ndone\ufffd"


def test_a_full_disk_does_not_end_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    output = log(tmp_path)
    monkeypatch.setattr("rota.engine.output.os.write", full)
    output.write("stdout", b"words\n")
    output.write("stdout", b"more words\n")
    output.close()
    assert output.error is not None
    assert output.excerpt().startswith("words\nmore words\n")
    assert "No space left on device" in output.excerpt()


def test_what_comes_after_the_close_is_dropped(tmp_path: Path) -> None:
    output = log(tmp_path)
    output.write("stdout", b"in time\n")
    output.close()
    output.write("stdout", b"too late\n")
    output.close()
    assert output.path.read_bytes() == b"in time\n"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"{SECRET}\n".encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
    ],
)
def test_a_secret_is_masked_in_every_form_wherever_it_is_cut(form: str) -> None:
    masker = Masker({"TOKEN": SECRET})
    text = f"before {form} after {form}".encode()
    for size in range(1, len(text) + 1):
        stream = masker.stream()
        shown = (
            b"".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size)) + stream.flush()
        )
        assert form.rstrip("=").encode() not in shown
        assert shown.startswith(b"before ***")
        assert shown.count(b"***") == 2


def test_nothing_is_held_back_that_cannot_be_a_secret() -> None:
    stream = Masker({"TOKEN": SECRET}).stream()
    assert stream.feed(b"all of this is shown at once\n") == b"all of this is shown at once\n"
    assert stream.feed(b"and this, but not: s3cr") == b"and this, but not: "
    assert stream.feed(b"umbs!") == b"s3crumbs!"


def test_of_two_secrets_the_longer_one_is_masked() -> None:
    masker = Masker({"A": "abcd", "B": "abcdefgh"})
    stream = masker.stream()
    assert stream.feed(b"1 abcdef") + stream.feed(b"gh 2 abcd 3") == b"1 *** 2 *** 3"
    assert masker.mask_text("abcdefgh abcdxyz") == "*** ***xyz"


def test_short_values_are_left_alone_and_long_texts_masked_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END KEY-----"
    masker = Masker({"SHORT": "abc", "EMPTY": "", "KEY": key})
    assert masker.mask_text("abc") == "abc"
    assert "MIIEvQ" not in masker.mask_text("  MIIEvQIBADANBgkqhkiG9w0  ")


def test_secrets_are_not_in_the_log_nor_in_the_excerpt(tmp_path: Path) -> None:
    output = log(tmp_path, masker=Masker({"TOKEN": SECRET}))
    for byte in f"key={SECRET}".encode():
        output.write("stdout", bytes([byte]))
    output.write("stderr", SECRET.encode()[:5])
    output.write("stdout", SECRET.encode()[5:])
    output.write("rota", f"used {SECRET}\n".encode())
    output.close()
    assert SECRET not in output.path.read_text()
    assert SECRET not in output.excerpt()
    assert "key=***" in output.excerpt()

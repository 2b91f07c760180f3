"""Meaning by a model in a local folder: a small one that is made here."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.unit.workspace.conftest import Notes

numpy = pytest.importorskip("numpy")
pytest.importorskip("model2vec")

# Words of one group mean the same, as far as this model knows.
GROUPS = (
    ("car", "vehicle", "automobile", "garage"),
    ("doctor", "physician", "clinic", "appointment"),
    ("money", "invoice", "payment", "budget"),
    ("the", "a", "of", "was", "to", "for"),
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A static model whose vectors are one direction a group."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    vocabulary = {"[UNK]": 0, "[PAD]": 1}
    vectors = [[0.0] * len(GROUPS)] * 2
    for number, group in enumerate(GROUPS):
        for word in group:
            vocabulary[word] = len(vocabulary)
            # The last group are words that say nothing.
            vectors = [*vectors, [float(number == n and n < 3) for n in range(len(GROUPS))]]
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    folder = tmp_path / "model"
    StaticModel(numpy.array(vectors, numpy.float32), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture
def desk(notes: Notes, model: Path) -> Notes:
    notes.write("one.md", "The vehicle was repaired.")
    notes.write("two.md", "An appointment at the clinic.")
    notes.write("three.md", "The invoice of the painter.")
    notes.settings(embeddings=str(model))
    return notes


def no_network(*_args: object, **_options: object) -> None:
    raise AssertionError("a model is a folder: nothing is asked for on the network")


def test_what_means_the_same_is_found_and_nothing_is_fetched(
    desk: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert desk.paths("automobile") == ["one.md"]
    assert desk.paths("physician") == ["two.md"]
    assert desk.context("payment").paths == ["three.md"]
    desk.settings(embeddings=None)
    assert desk.paths("automobile") == []


def test_words_and_meaning_are_one_ranking(desk: Notes) -> None:
    """What has the word and means it comes first, then what does either."""
    desk.write("both.md", "The automobile and the vehicle.")
    assert desk.paths("automobile")[0] == "both.md"
    assert set(desk.paths("automobile")) == {"both.md", "one.md"}


def test_scope_tags_and_exclusions_hold_for_meaning_too(desk: Notes) -> None:
    desk.write("old/one.md", "---\ntags: [old]\n---\nThe vehicle.", day="2025-01-01")
    assert desk.paths("automobile", paths=("old",)) == ["old/one.md"]
    assert desk.paths("automobile", since="7d") == ["one.md"]
    assert desk.paths("automobile tag:old") == ["old/one.md"]
    assert desk.paths("automobile -repaired", limit=5) == ["old/one.md"]


def test_vectors_follow_the_files_and_the_model(desk: Notes, model: Path) -> None:
    desk.index()
    desk.write("one.md", "The budget.", day="2026-11-21")
    assert desk.paths("automobile") == []
    assert set(desk.paths("payment")) == {"one.md", "three.md"}
    (model / "README.md").write_text("another model")
    assert set(desk.paths("payment")) == {"one.md", "three.md"}


def test_a_model_that_cannot_be_used_is_said_and_words_still_find(notes: Notes, tmp_path: Path) -> None:
    notes.write("a.md", "fruit")
    notes.settings(embeddings="nowhere")
    assert "there is no folder" in notes.index().problems[0]
    assert notes.paths("fruit") == ["a.md"]
    empty = tmp_path / "empty"
    empty.mkdir()
    notes.settings(embeddings=str(empty))
    assert "cannot be read as a model" in notes.index().problems[0]
    assert notes.paths("fruit") == ["a.md"]

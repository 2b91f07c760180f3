"""Meaning: vectors of passages by a small static model in a local folder (`rota[embeddings]`), if there is one.

Nothing is downloaded: the model is a folder that somebody has put there.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rota.model.config import IndexConfig
from rota.model.errors import RotaError
from rota.workspace.index import db
from rota.workspace.layout import Layout

if TYPE_CHECKING:
    import numpy

_BATCH = 512
_FACT = "model"
_LONGEST = 2_000
# What is less than half as near as the nearest is near by chance.
_NEAR = 0.5


class Model(Protocol):
    """What is used of `model2vec.StaticModel`."""

    def encode(self, sentences: Sequence[str], /) -> Any:
        """A row of numbers for each text."""
        ...


def embed_missing(con: sqlite3.Connection, config: IndexConfig, layout: Layout) -> str | None:
    """Give every passage its vector; a line about why not, where the model cannot be used. Texts alone do as well."""
    if not config.embeddings:
        return None
    try:
        folder = _folder(config, layout)
        name = _fingerprint(folder)
        if _made_by(con) != name:
            with db.transaction(con):
                con.execute("DELETE FROM vectors")
                con.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_FACT, name))
        missing = (
            "SELECT p.id, f.title, p.heading, p.text FROM passages p JOIN files f ON f.id = p.file"
            " WHERE p.id > ? AND p.id NOT IN (SELECT passage FROM vectors) ORDER BY p.id LIMIT ?"
        )
        last = 0
        model: Model | None = None
        while rows := con.execute(missing, (last, _BATCH)).fetchall():
            model = model or _load(folder)
            vectors = _unit(model.encode([f"{t}\n{h}\n{text}"[:_LONGEST] for _, t, h, text in rows]))
            with db.transaction(con):
                con.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                    [(row[0], vector.tobytes()) for row, vector in zip(rows, vectors, strict=True)],
                )
            last = rows[-1][0]
    except RotaError as error:
        return f"{error.message} (hint: {error.hint})"
    return None


def ranked_by_meaning(
    con: sqlite3.Connection,
    config: IndexConfig,
    layout: Layout,
    text: str,
    *,
    where: str,
    values: Sequence[object],
    limit: int,
) -> list[int]:
    """The passages `p` (of files `f`) nearest in meaning, best first, of those that the condition names.

    None where there is no model, or the index has the vectors of another one.
    """
    if not config.embeddings or not text:
        return []
    try:
        folder = _folder(config, layout)
        if _made_by(con) != _fingerprint(folder):
            return []
        import numpy

        asked = _unit(_load(folder).encode([text]))[0].astype(numpy.float32)
    except RotaError:
        return []  # `rota index` and `rota doctor` say what is wrong with the model; words find what they find
    best: list[tuple[float, int]] = []
    cursor = con.execute(
        "SELECT v.passage, v.vector FROM vectors v JOIN passages p ON p.id = v.passage"
        f" JOIN files f ON f.id = p.file WHERE {where}",
        list(values),
    )
    while rows := cursor.fetchmany(4 * _BATCH):
        if any(len(vector) != 2 * len(asked) for _, vector in rows):
            return []
        matrix = numpy.frombuffer(b"".join(vector for _, vector in rows), numpy.float16).reshape(
            len(rows), -1
        )
        scores = matrix.astype(numpy.float32) @ asked
        best += [(float(score), row[0]) for score, row in zip(scores, rows, strict=True) if score > 0.0]
        best = sorted(best, reverse=True)[:limit]
    return [passage for score, passage in best if score >= _NEAR * best[0][0]]


def check_model(config: IndexConfig, layout: Layout) -> None:
    """Raise RotaError where the settings name a model that cannot be used."""
    if config.embeddings:
        _load(_folder(config, layout))


def _made_by(con: sqlite3.Connection) -> str | None:
    row = con.execute("SELECT value FROM facts WHERE name = ?", (_FACT,)).fetchone()
    return None if row is None else str(row[0])


def _folder(config: IndexConfig, layout: Layout) -> Path:
    folder = layout.root / os.path.expanduser(config.embeddings or "")  # noqa: PTH111 # an absolute path stays one
    if not folder.is_dir():
        raise RotaError(
            f"`index.embeddings`: there is no folder {folder}",
            hint="name the folder of a model2vec model",
            code="no_model",
        )
    return folder


def _fingerprint(folder: Path) -> str:
    """What changes when the model does."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(folder.iterdir()):
        if file.is_file():
            status = file.stat()
            digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _load(folder: Path) -> Model:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from model2vec import StaticModel
    except ImportError:
        raise RotaError(
            "`index.embeddings` needs the library model2vec",
            hint="pip install 'rota[embeddings]'",
            code="no_model",
        ) from None
    try:
        model: Model = StaticModel.from_pretrained(folder)
    except Exception as error:
        raise RotaError(
            f"`index.embeddings`: {folder} cannot be read as a model ({type(error).__name__})",
            hint="it needs config.json, model.safetensors and tokenizer.json of a model2vec model",
            code="no_model",
        ) from error
    return model


def _unit(rows: Any) -> numpy.ndarray[Any, Any]:
    """Rows of length 1, in half precision."""
    import numpy

    matrix = numpy.asarray(rows, numpy.float32)
    lengths = numpy.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / numpy.where(lengths > 0, lengths, 1)).astype(numpy.float16)

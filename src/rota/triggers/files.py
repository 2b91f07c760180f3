"""The files of a workspace, for triggers: looked at one by one, and watched for signs of change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from rota.model.globs import OWN, read_glob
from rota.model.looks import FileSign, FileWatch
from rota.ports.logger import Logger
from rota.ports.tree import digest_of, walk

# Milliseconds between two looks of the library at what the system reported; and how long it gathers.
STEP = 300
# Seconds between two looks at whether other folders are to be watched, and after a watch that failed.
LOOK_AGAIN = 2.0
RETRY = 10.0
ARMED = 0.1  # until a watch that was begun sees what happens
log = Logger("rota.files")


class WorkspaceFiles:
    """The `ports.looks.WatchedFiles` of the workspace at `root` (absolute, links resolved)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def scan(self, watch: FileWatch) -> Mapping[str, FileSign]:
        """The files that the patterns mean, by path."""
        return dict(walk(self._root, watch.patterns, watch.ignore))

    def digest(self, path: str, sign: FileSign) -> str | None:
        """What the content is; None when the file is not (or not any more) as `sign` says."""
        return digest_of(self._root, path, sign)

    async def wakes(self, watches: Callable[[], Collection[FileWatch]], wake: asyncio.Event) -> None:
        """Set `wake` soon after something may have changed, until cancelled.

        A watch can fail or overlook something; whoever looks by itself from time to time misses nothing.
        """
        while True:
            folders = self._folders(watches())
            if not folders:
                await asyncio.sleep(LOOK_AGAIN)
                continue
            stop = asyncio.Event()
            kinds = {deep: sorted(at for at, below in folders if below is deep) for deep in (True, False)}
            tasks = [
                asyncio.create_task(_report(places, wake, stop, recursive=deep))
                for deep, places in kinds.items()
                if places
            ]
            try:
                await asyncio.sleep(ARMED)
                wake.set()  # what came before this watch began
                while self._folders(watches()) == folders:
                    done, _ = await asyncio.wait(
                        tasks, timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED
                    )
                    if done:
                        break
            finally:
                stop.set()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            failed = [error for error in ended if isinstance(error, Exception)]
            if failed:
                log.warning("files_not_watched", error=str(failed[0]), retry_in=RETRY)
                await asyncio.sleep(RETRY)

    def _folders(self, watches: Collection[FileWatch]) -> frozenset[tuple[Path, bool]]:
        """The folders to watch, and whether with all below them.

        Never the workspace's own folder with all below: the state in `.rota` changes at every run.
        """
        found = {place for watch in watches for pattern in watch.patterns for place in self._of(pattern)}
        return frozenset(
            (folder, deep)
            for folder, deep in found
            if not any(above in folder.parents and all_below for above, all_below in found)
            and (deep or (folder, True) not in found)
        )

    def _of(self, pattern: str) -> Iterator[tuple[Path, bool]]:
        glob = read_glob(pattern)
        folder, deep = self._root / glob.root, glob.depth is None or glob.depth > 1
        if not folder.is_dir():  # it may come: what is above it is watched until then
            while not folder.is_dir() and folder != self._root:
                folder = folder.parent
            yield folder, False
        elif folder == self._root and deep:
            yield folder, False
            yield from ((below, True) for below in _subfolders(folder))
        else:
            yield folder, deep


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [
            below
            for below in folder.iterdir()
            if below.name.casefold() not in OWN and below.is_dir() and not below.is_symlink()
        ]
    except OSError:
        return []


async def _report(folders: list[Path], wake: asyncio.Event, stop: asyncio.Event, *, recursive: bool) -> None:
    from watchfiles import awatch

    async for _ in awatch(
        *folders, recursive=recursive, step=STEP, debounce=2 * STEP, stop_event=stop, watch_filter=None
    ):
        wake.set()

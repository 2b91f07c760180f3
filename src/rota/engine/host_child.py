"""The program of a host: it calls Python functions for the pool in `hosts`, one at a time.

Started as `python -P -m rota.engine.host_child FD PARENT MARKER`. Calls come over the socket FD as lines
of JSON and are answered there; what a function prints goes to stdout and stderr as it is. Next to nothing
is imported before it is needed, so that a host is there at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import invalidate_caches
from queue import SimpleQueue
from typing import Any, NoReturn

from rota.engine import host_batch, host_code
from rota.engine.host_batch import TAKE_BACK, WATCHED_SIGNALS, Batch
from rota.engine.host_code import FreshFinder, call_target, refuse

# Not when it is needed: the signal's handler and the listening thread may come in the midst of an import,
# and would wait for each other for ever.
from rota.engine.process_tree import Tree

HOST_MARKER = "ROTA_HOST"
MAX_RESULT = 4_000_000
_HOME = "/"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_OURS = (
    __file__,
    host_batch.__file__,
    host_code.__file__,
    "<frozen importlib",
    f"{os.__file__.removesuffix('os.py')}asyncio/",
)


class Host:
    """One host. `control`: the socket; `parent`: the pool's process; `marker`: this host's own."""

    def __init__(self, control: int, parent: int, marker: str) -> None:
        self._control = control
        self._parent = parent
        self._marker = marker
        self._pid = os.getpid()
        self._environment = dict(os.environ)
        self._calls: SimpleQueue[bytes | None] = SimpleQueue()
        self._working = False
        self._files: dict[str, list[int]] = {}
        self._batch: Batch | None = None
        signal.signal(signal.SIGHUP, self._orphaned)
        self._handlers = [signal.getsignal(number) for number in WATCHED_SIGNALS]

    def serve(self) -> None:
        """Answer calls until the pool closes the line."""
        threading.Thread(target=self._listen, daemon=True).start()
        while (line := self._calls.get()) is not None:
            self._working = True
            request = json.loads(line)
            answer = self._batched(request) if "calls" in request else self._answer(request)
            if os.getpid() != self._pid:  # the function forked, and its child came back here
                os._exit(0)
            self._send(answer)
            self._working = False

    def _listen(self) -> None:
        """Take calls; when the pool is gone, end, together with what the call in progress has started."""
        # What calls start stays below us, whatever it does: when we leave, it is found.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # The kernel's word for the case that the line stays open; it is kept for the thread that asks for it.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
        self._orphaned()
        # An error, and no end, where the pool died before it had read the last answer.
        with suppress(OSError), open(self._control, "rb", closefd=False) as lines:
            for line in lines:
                if line != TAKE_BACK:
                    self._calls.put(line)
                elif self._batch is not None:
                    self._batch.take_back()
        if not self._working:
            self._calls.put(None)
            time.sleep(1.0)  # an idle one ends as Python programs do, unless something of the user's hangs
        self._leave()

    def _orphaned(self, *_: object) -> None:
        if os.getppid() != self._parent:
            self._leave()

    def _leave(self) -> NoReturn:
        try:
            Tree(self._pid, {HOST_MARKER: self._marker}).kill(5.0)
        finally:
            os.killpg(self._pid, signal.SIGKILL)
            os._exit(1)

    def _send(self, answer: bytes) -> None:
        try:
            while answer:
                answer = answer[os.write(self._control, answer) :]
        except OSError:
            self._leave()

    def _batched(self, request: Mapping[str, Any]) -> bytes:
        """Make many calls, whose answers go out as they come; the last word about all of them."""
        self._batch = Batch(
            request,
            marker=self._marker,
            files=self._files,
            send=self._send,
            encoded=_encoded,
            described=_described,
        )
        clean = self._batch.make()
        self._batch = None
        os.chdir(_HOME)
        return json.dumps({"clean": clean, "files": self._files}).encode() + b"\n"

    def _answer(self, request: Mapping[str, Any]) -> bytes:
        threads = set(threading.enumerate())
        streams = sys.stdout, sys.stderr
        finder = FreshFinder(request["fresh"], self._files)
        finder.install()
        path = list(sys.path)
        outcome: dict[str, Any] = {}
        result = b"null"
        try:
            self._enter(request)
            result = _encoded(call_target(request["target"], request["kwargs"], finder))
        except BaseException as error:  # noqa: BLE001 # whatever user code raises, the host goes on
            if not (isinstance(error, SystemExit) and error.code in (None, 0)):
                outcome["error"] = _described(error)
        tidy = self._restore(path, finder, streams)
        # A thread that was left running would go on in the midst of the next call.
        outcome["clean"] = tidy and not (set(threading.enumerate()) - threads)
        outcome["files"] = self._files
        rest = json.dumps(outcome, default=str, ensure_ascii=False).encode("utf-8", "replace")
        return b'{"result":' + result + b"," + rest[1:] + b"\n"

    def _enter(self, request: Mapping[str, Any]) -> None:
        if request["open_files"] is not None:  # this host serves no other call
            from rota.engine.limits import Caps, restrict

            restrict(Caps(open_files=request["open_files"]))
        os.environ.update(request["env"])
        time.tzset()
        sys.path[:0] = request["paths"]
        invalidate_caches()
        if request["cwd"] is not None:
            try:
                os.chdir(request["cwd"])
            except OSError as error:
                refuse(f"the folder to run in cannot be used: {request['cwd']}: {error.strerror}")

    def _restore(self, path: list[str], finder: FreshFinder, streams: tuple[Any, Any]) -> bool:
        """Put everything back for the next call; False where that cannot be."""
        try:
            os.environ.clear()
            os.environ.update(self._environment)
            time.tzset()
            sys.path[:] = path
            sys.meta_path.remove(finder)
            os.chdir(_HOME)
            for stream in (sys.stdout, sys.stderr, *streams):
                stream.flush()
            sys.stdout, sys.stderr = streams
        except Exception:  # noqa: BLE001 # user code may have broken any of it: this host is used up
            return False
        return [signal.getsignal(number) for number in WATCHED_SIGNALS] == self._handlers


def _encoded(value: Any) -> bytes:
    if value is None:
        return b"null"
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        hint = "return text, numbers, lists and dicts; dates, paths and dataclasses become such"
        refuse(f"what the function returned cannot be passed on as JSON: {error}", hint)
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_RESULT:
        hint = "write it into a file and return the path"
        refuse(f"the function returned {len(data):,} bytes; at most {MAX_RESULT:,} are passed on", hint)
    return data


def _plain(value: Any) -> Any:
    """What JSON can say in the place of a value that it does not know."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__fspath__"):
        return os.fsdecode(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__name__ in ("Decimal", "UUID"):
        return str(value)
    raise TypeError(f"it contains a {type(value).__name__}")


def _described(error: BaseException) -> dict[str, Any]:
    """An error as it crosses to the pool; the traceback of an unforeseen one goes to stderr."""
    errors = sys.modules.get("rota.model.errors")
    if errors is not None and isinstance(error, errors.RotaError):
        about = {name: getattr(error, name, None) for name in ("hint", "code", "permanent", "retry_after")}
        return {"message": str(error), **about}
    if isinstance(error, SystemExit):
        return {"message": f"the function ended with sys.exit({error.code!r:.200})"}
    _print_traceback(error)
    try:
        words = str(error).strip().partition("\n")[0][:500]
    except Exception:  # noqa: BLE001 # an error that cannot even be described
        words = ""
    hint = None
    if isinstance(error, ModuleNotFoundError):
        hint = f"it is not installed for {sys.executable}, nor on the path of the call"
    message = f"{type(error).__name__}: {words}" if words else type(error).__name__
    permanent = isinstance(error, SyntaxError | ModuleNotFoundError)
    return {"message": message, "hint": hint, "permanent": permanent}


def _print_traceback(error: BaseException) -> None:
    """Its frames in user code only."""
    import traceback

    try:
        whole = traceback.TracebackException.from_exception(error)
        pending: list[traceback.TracebackException | None] = [whole]
        while pending:
            if (part := pending.pop()) is not None:
                part.stack = traceback.StackSummary.from_list(
                    f for f in part.stack if not f.filename.startswith(_OURS)
                )
                pending += [part.__cause__, part.__context__, *(part.exceptions or ())]
        (sys.__stderr__ or sys.stderr).write("".join(whole.format()))
    except Exception:  # noqa: BLE001 # user code may have broken stderr, or its error's own words
        return


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> None:
    """Serve the pool that started us."""
    control, parent, marker = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sys.argv[:] = [""]
    os.set_inheritable(control, False)  # noqa: FBT003 # the signature of os
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr] # a TextIOWrapper
    Host(control, parent, marker).serve()


if __name__ == "__main__":
    main()

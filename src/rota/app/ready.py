"""Making the state ready for a daemon, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from rota.workspace.layout import Layout

_PROGRAM = """
import sys
from pathlib import Path
from rota.store import make_ready
make_ready(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def make_ready(layout: Layout) -> None:
    """Update the state and compile its statements, where that is yet to be done.

    What it takes to import for that (27 MB), the daemon would hold for the rest of its life. A failure is left
    to the daemon itself, which then tells of it.
    """
    from rota.store import is_ready

    if not is_ready(layout.state, layout.cache):
        argv = [sys.executable, "-P", "-c", _PROGRAM, str(layout.state), str(layout.cache)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)

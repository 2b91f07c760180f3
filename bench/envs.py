"""An environment of its own for each peer: `bench/.venvs/NAME`, from `bench/requirements/NAME.txt`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"
VENVS = HERE / ".venvs"
STAMP = "built-from.txt"
WITHIN = 900  # seconds: some peers bring a database server along

Run = Callable[[Sequence[str]], None]


@dataclass
class Envs:
    """The interpreters of the peers that could be installed, and why the others could not, by name."""

    pythons: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def report(self) -> str:
        """One line for each peer that is left out."""
        return "\n".join(f"left out: {name}: {reason}" for name, reason in sorted(self.left_out.items()))


def run(argv: Sequence[str]) -> None:
    """Run a command; a RuntimeError with the last line of what it said when it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=WITHIN, check=False)
    except subprocess.TimeoutExpired as exc:
        raise RuntimeError(f"not installed within {WITHIN} s") from exc
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError(said[-1].removeprefix("ERROR: ") if said else f"exit code {done.returncode}")


def build(
    names: Iterable[str], *, venvs: Path = VENVS, requirements: Path = REQUIREMENTS, run: Run = run
) -> Envs:
    """Build what is missing or of older requirements; what cannot be built is left out, with its reason."""
    envs = Envs()
    for name in names:
        try:
            envs.pythons[name] = _build(venvs / name, requirements / f"{name}.txt", run)
        except (OSError, RuntimeError) as exc:
            envs.left_out[name] = str(exc)
    return envs


def _build(venv: Path, requirements: Path, run: Run) -> Path:
    wanted = f"# {sys.version}\n{requirements.read_text()}"
    python, stamp = venv / "bin" / "python", venv / STAMP
    if not (stamp.exists() and stamp.read_text() == wanted):
        run([sys.executable, "-m", "venv", "--clear", str(venv)])
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
        run([*pip, "-r", str(requirements)])
        stamp.write_text(wanted)  # last: a half-built environment is built anew
    return python

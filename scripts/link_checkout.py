"""Make this checkout importable in the interpreter that runs this file, with a `rota` command beside it.

What an editable install does, without a build backend: a .pth file that names src/, the
distribution's metadata (so that `importlib.metadata.version("rota")` works) and a launcher.
"""

from __future__ import annotations

import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = """#!{python}
import sys
from {module} import {function}
sys.exit({function}())
"""


def main() -> None:
    """Write the three files; existing ones are replaced."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    site = Path(sysconfig.get_path("purelib"))
    (site / "rota-checkout.pth").write_text(f"{ROOT / 'src'}\n")
    info = site / f"rota-{project['version']}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rota\nVersion: {project['version']}\n")
    module, function = project["scripts"]["rota"].split(":")
    launcher = Path(sys.executable).parent / "rota"
    launcher.write_text(LAUNCHER.format(python=sys.executable, module=module, function=function))
    launcher.chmod(0o755)


if __name__ == "__main__":
    main()

"""`make demo`: the example workspace, a real daemon on it, and `morning-prep` run at once on real input."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from scripts.demo_workspace import freshen

ROTA = [sys.executable, "-m", "rota"]
READY_WITHIN = 60.0


def main() -> int:
    """Prepare, start, run, show; then stay until Ctrl-C (or end, with --once)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where the workspace is made")
    parser.add_argument("--once", action="store_true", help="end after the run")
    parser.add_argument("--calendar", help="your own calendar: an .ics file, a folder of them, or an address")
    options = parser.parse_args()
    workspace: Path = options.dir.resolve()
    if not (workspace / ".rota" / "jobs").is_dir():
        subprocess.run([*ROTA, "init", str(workspace), "--template", "personal-os"], check=True)
    freshen(workspace, datetime.now(ZoneInfo("Europe/London")).date())
    if options.calendar:
        use_calendar(workspace, options.calendar)
    daemon = subprocess.Popen([*ROTA, "-w", str(workspace), "up"])
    try:
        if not wait_until_ready(workspace, daemon):
            return 1
        print("\n── rota run morning-prep --wait", flush=True)
        done = subprocess.run([*ROTA, "-w", str(workspace), "run", "morning-prep", "--wait"], check=False)
        if done.returncode:
            return done.returncode
        page = workspace / "now" / "today.md"
        print(f"\n── {page}\n\n{page.read_text()}", flush=True)
        if not options.once:
            print(
                f"The daemon stays up on {workspace}; try `rota -w {workspace} list`. Ctrl-C ends it.",
                flush=True,
            )
            return daemon.wait()
    except KeyboardInterrupt:
        return 0  # the terminal sent it to the daemon too
    finally:
        end(daemon)
    return 0


def use_calendar(workspace: Path, calendar: str) -> None:
    """Let `pull: calendar` read the user's calendar in place of the example's."""
    from rota.spec import set_keys

    if "://" not in calendar:
        path = Path(calendar).expanduser().resolve()
        if not path.exists():
            sys.exit(
                f"there is no calendar {calendar}\nhint: CALENDAR is an .ics file, a folder of them, or an address"
            )
        # A copy: what steps read is inside the workspace. In a folder of its own, since every .ics file
        # directly in calendar/ belongs to the example.
        inside = workspace / "calendar" / "yours"
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        for file in [path] if path.is_file() else sorted(path.glob("*.ics")):
            shutil.copyfile(file, inside / file.name)
        calendar = "calendar/yours"
    settings = workspace / ".rota" / "rota.yaml"
    changes = {"sources.calendar": {"type": "calendar", "calendar": calendar}}
    settings.write_text(set_keys(settings.read_text(), ".rota/rota.yaml", changes))


def wait_until_ready(workspace: Path, daemon: subprocess.Popen[bytes]) -> bool:
    """Whether the daemon got as far as looking after the workspace."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and daemon.poll() is None:
        if (workspace / ".rota" / "daemon.sock").exists():
            return True
        time.sleep(0.05)
    return False


def end(daemon: subprocess.Popen[bytes]) -> None:
    """Stop the daemon as `rota down` would."""
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
    daemon.wait(timeout=60)


if __name__ == "__main__":
    sys.exit(main())

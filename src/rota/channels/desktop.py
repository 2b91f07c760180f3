"""The notifications of the desktop that rota runs on."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from rota.channels._params import ChannelParams, filled
from rota.channels._text import clean, one_line, shorten
from rota.model.errors import StepError

_LIMIT = 1_000
_TIMEOUT = 10.0
# The texts are arguments, never part of the script, so nothing in them can be run.
_APPLESCRIPT = """on run argv
display notification (item 2 of argv) with title (item 1 of argv)
end run
"""


class DesktopParams(ChannelParams):
    """Keys of `type: desktop`."""

    urgency: Literal["low", "normal", "critical"] = Field(
        default="normal", description="How insistent it is, where the desktop knows that (Linux)."
    )


class Desktop:
    """Shows a notification: notify-send on Linux, osascript on macOS."""

    key: ClassVar[str] = "desktop"
    params: ClassVar[type[BaseModel]] = DesktopParams
    target: ClassVar[str] = "rota.channels.desktop:send"


def send(config: dict[str, Any], title: str, body: str, about: dict[str, Any]) -> dict[str, Any]:
    """Show one message; `{"by": program}`. StepError (permanent) when no desktop can be reached."""
    from rota.channels._process import last_line, run_program

    params = filled(DesktopParams, config, Desktop.key)
    heading = one_line(title) or one_line(str(about.get("job") or "rota"))
    text = shorten(clean(body).strip(), _LIMIT)
    if platform.system() == "Darwin":
        argv, stdin, env = ["osascript", "-", heading, text], _APPLESCRIPT, dict(os.environ)
    else:
        env = _with_session_bus(dict(os.environ))
        argv, stdin = _notify_send(params.urgency, heading, text), ""
    code, printed = run_program(argv, what=f"`{argv[0]}`", stdin=stdin, env=env, timeout=_TIMEOUT)
    if code != 0:
        raise _no_desktop(one_line(last_line(printed)) or f"`{argv[0]}` exited with {code}")
    return {"by": argv[0]}


def _notify_send(urgency: str, heading: str, text: str) -> list[str]:
    if shutil.which("notify-send") is None:
        raise StepError(
            "no desktop notification can be shown: `notify-send` is not installed",
            hint="install it (package libnotify-bin or libnotify), or use another channel",
            code="no_desktop",
            permanent=True,
        )
    # The body is markup to most desktops, and notify-send itself reads backslash escapes in it.
    markup = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\\", "\\\\")
    return ["notify-send", "--app-name=rota", f"--urgency={urgency}", "--", heading, markup]


def _with_session_bus(env: dict[str, str]) -> dict[str, str]:
    """The environment with the address of the user's session bus; a service often has none."""
    if env.get("DBUS_SESSION_BUS_ADDRESS"):
        return env
    bus = Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "bus"
    if not bus.exists():
        raise _no_desktop("there is no session bus")
    return env | {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"}


def _no_desktop(why: str) -> StepError:
    return StepError(
        f"no desktop can be reached from here: {why}",
        hint="run rota in your desktop session, or use another channel, such as email, slack or telegram",
        code="no_desktop",
        permanent=True,
    )

"""A small agent of somebody's own, for the command runner: a prompt on stdin, a model by OpenAI's wire format.

`python script_agent.py BASE_URL [SESSION]`: conversations are kept in the folder `.talks`. It needs nothing but Python.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("write", "run")
]


def main(base: str, session: str = "") -> int:
    """Work on the prompt until the model wants no more tools."""
    kept = Path(".talks", f"{session}.json")
    messages: list[Json] = json.loads(kept.read_text()) if session and kept.exists() else []
    messages.append({"role": "user", "content": sys.stdin.read()})
    while True:
        try:
            said = ask(base, messages)
        except urllib.error.HTTPError as error:
            sys.stderr.write(f"API error {error.code}: {json.load(error)['error']['message']}\n")
            return 1
        except OSError as error:
            sys.stderr.write(f"the model's API is gone: {error}\n")
            return 1
        messages.append(said)
        for call in said.get("tool_calls") or ():
            result = use(call["function"]["name"], json.loads(call["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        if session:
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(messages))
        if not said.get("tool_calls"):
            sys.stdout.write(f"{said['content'] or ''}\n")
            return 0


def ask(base: str, messages: list[Json]) -> Json:
    """One response of the model."""
    body = json.dumps({"model": "gpt-5", "messages": messages, "tools": TOOLS}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-of-its-own"}
    request = urllib.request.Request(f"{base}/chat/completions", body, headers)  # noqa: S310 # a test's own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 # as above
        message: Json = json.load(answer)["choices"][0]["message"]
    return message


def use(name: str, args: Json) -> str:
    """A tool."""
    if name == "write":
        path = Path(args["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(args["content"])
        return "written"
    done = subprocess.run(args["command"], shell=True, capture_output=True, text=True, check=False)  # noqa: S602 # it is what it does
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

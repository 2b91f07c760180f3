"""The pages that people see: small, without scripts, and every value in them is text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2227; --soft: #5d6873; --line: #d8dee4; --paper: #ffffff;
  --ground: #f3f5f7; --go: #17663a; --go-ink: #ffffff; --stop: #a3271b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebee; --soft: #9aa5b0; --line: #39424b; --paper: #1b2026;
  --ground: #12161a; --go: #3fa56b; --go-ink: #08150d; --stop: #f08a7f; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 5vh 1rem 3rem; background: var(--ground); color: var(--ink);
  font: 17px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 1.75rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 14px; }
p { margin: 0; overflow-wrap: anywhere; }
h1 { margin: .35rem 0 0; font-size: 1.45rem; line-height: 1.3; overflow-wrap: anywhere; white-space: pre-line; }
.soft { color: var(--soft); font-size: .9rem; }
.text { margin-top: .75rem; }
pre { margin: 1.4rem 0 0; padding: 1rem; max-height: 55vh; overflow: auto; background: var(--ground);
  border: 1px solid var(--line); border-radius: 10px; font: 14px/1.55 ui-monospace, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
label { display: block; margin: 1.4rem 0 .35rem; font-size: .9rem; color: var(--soft); }
textarea { width: 100%; min-height: 3.6rem; padding: .6rem .75rem; font: inherit; color: inherit; resize: vertical;
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
.choices { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.1rem; }
button { flex: 1 1 9rem; min-height: 3rem; padding: .6rem 1.1rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--go-ink); background: var(--go); border: 2px solid var(--go); border-radius: 10px;
  overflow-wrap: anywhere; }
button.other { color: var(--go); background: transparent; }
button.deny { color: var(--stop); background: transparent; border-color: var(--stop); }
button:focus-visible, textarea:focus-visible, pre:focus-visible { outline: 3px solid var(--soft); outline-offset: 2px; }
.foot { margin-top: 1.4rem; }
@media (max-width: 30rem) { body { padding: 0; background: var(--paper); }
  main { border: 0; border-radius: 0; padding: 1.5rem 1.15rem; } button { flex-basis: 100%; } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing is loaded, nothing runs, nobody frames it; the one form goes back to where it came from.
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %} · rota</title>
<style>{{ style }}</style>
</head>
<body>
<main>
{% block main %}{% endblock %}
</main>
</body>
</html>
"""
_QUESTION = """{% extends "frame" %}
{% block title %}{{ shown.job }}{% endblock %}
{% block main %}<p class="soft">{{ shown.job }} asks</p>
<h1>{{ shown.question }}</h1>
{% if shown.preview %}<pre tabindex="0" aria-label="What it is about">
{{ shown.preview }}</pre>
{% endif %}<form method="post">
<label for="reason">Why? (may stay empty)</label>
<textarea id="reason" name="reason" rows="2" maxlength="500"></textarea>
<div class="choices">
{% for choice in shown.choices %}<button type="submit" name="choice" value="{{ choice }}"
{%- if choice == deny %} class="deny"{% elif not loop.first %} class="other"{% endif %}>
{{- choice[0]|upper }}{{ choice[1:] }}</button>
{% endfor %}</div>
</form>
<p class="soft foot">{% if shown.until %}It waits until {{ shown.until }}; {{ shown.then }}.<br>{% endif %}
Run {{ shown.run }}</p>{% endblock %}
"""
_SAID = """{% extends "frame" %}
{% block title %}{{ title }}{% endblock %}
{% block main %}{% if shown %}<p class="soft">{{ shown.job }} asked: {{ shown.question }}</p>
{% endif %}<h1>{{ title }}</h1>
<p class="text">{{ text }}</p>{% endblock %}
"""


def page(name: str, **values: Any) -> str:
    """The HTML of a page (`question`, `said`) with these values, which are escaped."""
    from markupsafe import Markup

    return _pages().get_template(name).render(style=Markup(_STYLE), **values)  # noqa: S704 # our own text


@cache
def _pages() -> Environment:
    """Made with the first page: the daemon that shows none does without."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    pages = {"frame": _FRAME, "question": _QUESTION, "said": _SAID}
    return Environment(loader=DictLoader(pages), autoescape=True, undefined=StrictUndefined)

"""F1: templates and conditions. Values from outside are data here, never code. Pure text, no I/O.

Importing this room is cheap: Jinja2 is loaded by the first text that is really a template.
"""

from rota.templates.lint import problems, shell_problems
from rota.templates.nested import warn_nested
from rota.templates.secrets import fill_secrets, fill_secrets_in, secret_names
from rota.templates.shell import ShellText, render_shell
from rota.templates.text import evaluate, render, render_value, truth
from rota.templates.values import StepsView

__all__ = [
    "ShellText",
    "StepsView",
    "evaluate",
    "fill_secrets",
    "fill_secrets_in",
    "problems",
    "render",
    "render_shell",
    "render_value",
    "secret_names",
    "shell_problems",
    "truth",
    "warn_nested",
]

"""Whatever a value says, a real shell hands it on byte for byte, and runs nothing of it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rota.model.errors import TemplateError
from rota.templates import render_shell

# Prints how many arguments it got, and each, NUL-terminated.
SHOW = 'show() { printf \'%s\\0\' "$#" "$@"; }\n'
# bash misreads some scripts that POSIX allows (`case` and here-documents in `$( )`), the more the older it is.
EXACT_SHELL = shutil.which("dash") or "/bin/sh"
SHELLS = ["/bin/sh", *(["bash"] if shutil.which("bash") else [])]

HOSTILE = [
    "plain",
    "",
    " ",
    "two words",
    "$(touch pwned)",
    "`touch pwned`",
    '"; rm -rf . ; "',
    "'; touch pwned; '",
    "; touch pwned",
    "& touch pwned",
    "| touch pwned",
    "> pwned",
    "{{7*7}}",
    "{% raw %}",
    "${HOME}",
    "$HOME ~ $$ $?",
    "line one\nline two\n",
    "\nEND\ntouch pwned\n",
    "'",
    '"',
    "\\",
    "\\'\\\"\\$x\\n",
    "!",
    "!!",
    "*",
    "[a-z]*?",
    "-rf",
    "--",
    "# not a comment",
    "a\tb\r\n",
    "}",
    ")",
    "a[$(touch pwned)]",
    "žluťoučký 猫 🐈\u200b",
    "\x01\x7f",
    "\udc80",  # a byte that is not UTF-8, as the names of files can have
]

# (a line of shell, what `show` gets, NUL standing for the value)
CONTEXTS: list[tuple[str, list[str]]] = [
    ("show {{ v }}", ["\0"]),
    ('show "{{ v }}"', ["\0"]),
    ("show '{{ v }}'", ["\0"]),
    ("show a{{ v }}b \"a {{ v }} b\" 'a {{ v }} b'", ["a\0b", "a \0 b", "a \0 b"]),
    ("show {{ v }} {{- v }}", ["\0\0"]),
    ("show {{ v }} {{ v }}", ["\0", "\0"]),
    ("show --name={{ v }} -- {{ v }}", ["--name=\0", "--", "\0"]),
    ("show \\\"{{ v }}\\' \"\\\"{{ v }}\\\\\" \"\\$HOME {{ v }}\"", ['"\0\'', '"\0\\', "$HOME \0"]),
    ("show 'back\\' {{ v }} 'slash\\' '{{ v }}'", ["back\\", "\0", "slash\\", "\0"]),
    ("show \"it's {{ v }}\" 'say \"{{ v }}\"'", ["it's \0", 'say "\0"']),
    ("show \"$(printf '%s.' {{ v }})\"", ["\0."]),
    ("show \"$(printf '%s.' \"<{{ v }}>\" '{{ v }}')\"", ["<\0>.\0."]),
    ("show \"$(printf '%s.' \"$(printf '%s.' {{ v }})\")\" {{ v }}", ["\0..", "\0"]),
    ("show \"$(case x in (y) ;; (x) printf '%s.' {{ v }};; esac)\" {{ v }}", ["\0.", "\0"]),
    ("show \"`printf '%s.' {{ v }}`\" \"{{ v }}\"", ["\0.", "\0"]),
    ('show "${nope:-{{ v }}}" ${nope:-{{ v }}} ${HOME:+{{ v }}}', ["\0", "\0", "\0"]),
    ('x={{ v }}.tail; show "$x" "${x#{{ v }}}" "${x%.tail}" "${#x}x" ${#nope}', ["\0.tail", ".tail", "\0", "#x", "0"]),
    ("case {{ v }} in {{ v }}) show same;; *) show other;; esac", ["same"]),
    ("[ {{ v }} = '{{ v }}' ] && show same", ["same"]),
    ('show "$(cat <<END\n{{ v }}.\nEND\n)" {{ v }}', ["\0.", "\0"]),
    ("show \"$(cat <<-END\n\t<{{ v }}> $(printf '%s.' {{ v }})\n\tEND\n)\" {{ v }}", ["<\0> \0.", "\0"]),
    ("cat <<A <<B >/dev/null\nit's {{ v }}\nA\n\"{{ v }}\nB\nshow {{ v }}", ["\0"]),
    ("show {{ v }} # it's a \" comment {{ v }}\nshow2() { show \"$@\"; }; # {{ v }}", ["\0"]),
    ("show \\\n  {{ v }} \\\n  '{{ v }}'", ["\0", "\0"]),
    ("(show {{ v }}); f() { return 1; }; f || : {{ v }}", ["\0"]),
    ("show {% for x in [v, v] %}{{ x }} '{{ loop.index }}' {% endfor %}", ["\0", "1", "\0", "2"]),
    ("show {% if v %}\"{{ v }}\"{% else %}'{{ v }}'{% endif %} {# it's nothing #} {{ v }}", ["\0", "\0"]),
    ("{% set w = v ~ '.' %}{% with u = w %}show {{ u }}{% endwith %}", ["\0."]),
    ("show '{% raw %}{{ v }}{% endraw %}' {{ v }}", ["{{ v }}", "\0"]),
    ("show {{ v | safe }} {{ v | string }} {{ [v] | join }} {{ v ~ '' }} {{ v if true }}", ["\0"] * 5),
    ("show {{ '$(touch pwned)' }} {{ ';' }} {{ \"' \" ~ v }}", ["$(touch pwned)", ";", "' \0"]),
    ("show \"${nope:-\"{{ v }}\"}\" > /dev/null 2>&1; show {{ v }}", ["\0"]),
]  # fmt: skip


def run(shell: str, folder: Path, script: str, values: dict[str, Any]) -> bytes:
    """What a script prints; it must succeed, and leave nothing in the folder."""
    text = render_shell(SHOW + script, values)
    assert not any(
        value in text.script for value in values.values() if isinstance(value, str) and len(value) > 8
    )
    done = subprocess.run(
        [shell, "-c", text.script],
        env={"PATH": "/usr/bin:/bin", "HOME": "/", "LC_ALL": "C", **text.env},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), text.script
    assert list(folder.iterdir()) == []
    return done.stdout


def shown(arguments: list[str], value: str) -> bytes:
    """What `show` prints for these arguments, NUL in them standing for the value."""
    given = [argument.replace("\0", value) for argument in arguments]
    return "".join(f"{each}\0" for each in [str(len(given)), *given]).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("line", "arguments"), CONTEXTS, ids=[line for line, _ in CONTEXTS])
def test_a_hostile_value_arrives_as_it_is(
    shell: str, line: str, arguments: list[str], tmp_path: Path
) -> None:
    values = [value for value in HOSTILE if value or "{% if v" not in line]
    expected = b"".join(shown(_lengths(arguments, value), value) for value in values)
    script = "{% for v in all %}" + line + "\n{% endfor %}"
    assert run(shell, tmp_path, script, {"all": values}) == expected


def _lengths(arguments: list[str], value: str) -> list[str]:
    """`#x` stands for the length (in bytes) of the value and `.tail`."""
    length = len(f"{value}.tail".encode("utf-8", "surrogateescape"))
    return [f"{length}x" if argument == "#x" else argument for argument in arguments]


texts = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])
    | st.sampled_from("\"'\\`$(){}[];&|<>!*?~#\n -"),
    max_size=40,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(texts, min_size=1, max_size=5))
def test_any_text_arrives_as_it_is_in_every_context(values: list[str], tmp_path: Path) -> None:
    lines = [(line, arguments) for line, arguments in CONTEXTS if "{% if v" not in line]
    expected = b"".join(
        shown(_lengths(arguments, value), value) for value in values for _, arguments in lines
    )
    script = "{% for v in all %}" + "\n".join(line for line, _ in lines) + "\n{% endfor %}"
    assert run("/bin/sh", tmp_path, script, {"all": values}) == expected


# Words that are put together at random: (source, meaning), NUL in the meaning standing for the value.
Word = tuple[str, str]


def _joined(words: list[Word], before: str = "", after: str = "") -> Word:
    return before + "".join(source for source, _ in words) + after, "".join(meaning for _, meaning in words)


def _soft(inner: st.SearchStrategy[Word]) -> st.SearchStrategy[Word]:
    """What can stand inside double quotes and here-documents; `inner` are whole words."""
    printed = inner.map(lambda word: (f"printf '%s.' {word[0]}", f"{word[1]}."))
    return st.one_of(
        st.sampled_from(
            [("{{ v }}", "\0"), ("it's ", "it's "), ("# no ", "# no "), ("\\$x", "$x"), (" <<E ", " <<E ")]
        ),
        printed.map(lambda word: (f"$({word[0]})", word[1])),
        printed.map(lambda word: (f"$( # it's ) \" {{{{ v }}}}\n ({word[0]}) )", word[1])),
        printed.map(lambda word: (f"$(case a in b) ;; a) {word[0]};; esac)", word[1])),
        inner.filter(lambda word: "\\" not in word[0] and '"' not in word[0] and "'" not in word[0]).map(
            lambda word: (f"${{nope:-{word[0]}}}", word[1])
        ),
    )


def _wider(inner: st.SearchStrategy[Word]) -> st.SearchStrategy[Word]:
    soft = st.lists(_soft(inner), max_size=3)
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(_joined),
        soft.map(lambda parts: _joined(parts, '"', '"')),
        soft.map(lambda parts: _joined([*parts, (".", ".")], '"$(cat <<E\n', '\nE\n)"')),
        st.tuples(inner, inner).map(
            lambda both: (f"{{% if yes %}}{both[0][0]}{{% else %}}{both[1][0]}{{% endif %}}", both[0][1])
        ),
        inner.map(lambda word: (f"{{% for _ in [1, 2] %}}{word[0]}{{% endfor %}}", word[1] * 2)),
    )


words = st.recursive(
    st.sampled_from(
        [
            ("{{ v }}", "\0"),
            ("ab", "ab"),
            ("'it is {{ v }}'", "it is \0"),
            ("\\'", "'"),
            ("''", ""),
            ("=#", "=#"),
        ]
    ),
    _wider,
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=words, value=st.sampled_from(HOSTILE) | texts)
def test_any_nesting_of_quotes_hands_the_value_on(word: Word, value: str, tmp_path: Path) -> None:
    script = f"show x{word[0]} '{{{{ v }}}}'"
    assert run(EXACT_SHELL, tmp_path, script, {"v": value, "yes": True}) == shown(
        [f"x{word[1]}", "\0"], value
    )


FRAGMENTS = [
    '"', "'", "`", "$(", ")", "${x:-", "${x#", "${x", "}", "$((", "))", "$[", "\\", " ", "\n", "#", "<<E\n", "\nE\n",
    "echo ", "[[ ", " ]]", " -eq ", "a[", "[", "]", "=", "x", "case x in ", "esac", ";;", "((", "(", "{# c #}", "$",
    "{% if t %}", "{% else %}", "{% endif %}", "{% for i in [1, 2] %}", "{% endfor %}", "$'", ";", " && ", "|", "a=(",
    *["{{ v }}"] * 8,
]  # fmt: skip
CODE = [
    "$(touch pwned)",
    "`touch pwned`",
    ";touch pwned;",
    "a[$(touch pwned)]",
    "\nE\n;touch pwned\n",
    "') ; touch pwned",
]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=10), code=st.sampled_from(CODE))
def test_even_in_a_broken_script_no_value_is_run(parts: list[str], code: str, tmp_path: Path) -> None:
    try:
        text = render_shell("".join(parts), {"v": code, "t": True})
    except TemplateError:
        return  # refused, which is as good
    for shell in SHELLS:
        with contextlib.suppress(subprocess.TimeoutExpired):  # some shells hang on an unfinished `${x`
            subprocess.run(
                [shell, "-c", text.script],
                env={"PATH": "/usr/bin:/bin", **text.env},
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=2,
                check=False,
            )
        assert list(tmp_path.iterdir()) == [], text.script

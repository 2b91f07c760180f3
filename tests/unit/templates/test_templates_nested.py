"""The lint for values that an inner interpreter would read as code."""

from __future__ import annotations

import pytest

from rota.templates import warn_nested


@pytest.mark.parametrize(
    ("text", "reader"),
    [
        ('sh -c "echo {{ x }}"', "sh"),
        ("bash -c {{ x }}", "bash"),
        ("bash -euo pipefail -c 'ls {{ x }}'", "bash"),
        ("bash -euc 'ls {{ x }}'", "bash"),
        ("sudo -u me /bin/bash -lc \"{{ x }}\"", "bash"),
        ("timeout 5 sh -c 'ls {{ x }}' | cat", "sh"),
        ("find . -exec sh -c 'echo {{ x }}' \\;", "sh"),
        ("docker exec web sh -c \"ls {{ x }}\"", "sh"),
        ("eval {{ x }}", "eval"),
        ("if true; then eval \"ls {{ x }}\"; fi", "eval"),
        ("y=$(eval \"ls {{ x }}\")", "eval"),
        ("A=1 eval echo {{ x }}", "eval"),
        ("source {{ x }}", "source"),
        ("ssh host ls {{ x }}", "ssh"),
        ("ssh -p 22 -i key host \"ls {{ x }}\"", "ssh"),
        ("python3 -c 'print(\"{{ x }}\")'", "python"),
        ("python3.12 -I -c \"{{ x }}\"", "python"),
        ("node --eval \"{{ x }}\"", "node"),
        ("node --eval={{ x }}", "node"),
        ("perl -ne '1' -e {{ x }}", "perl"),
        ("awk '{ print {{ x }} }' file", "awk"),
        ("awk -F , '{{ x }}' file", "awk"),
        ("sed \"s/a/{{ x }}/\" file", "sed"),
        ("sed -n -e \"{{ x }}\" file", "sed"),
        ("psql db -c \"select '{{ x }}'\"", "psql"),
        ("sqlite3 db \"select '{{ x }}'\"", "sqlite3"),
        ("bash <<END\necho {{ x }}\nEND", "bash"),
        ("ssh host <<END\necho {{ x }}\nEND", "ssh"),
        ("python3 - <<END\nprint({{ x }})\nEND", "python"),
        ("psql db <<END\nselect {{ x }}\nEND", "psql"),
        ("bash <<< {{ x }}", "bash"),
        ("echo {{ x }} | sh", "sh"),
        ("echo {{ x }} | bash -s", "bash"),
        ("echo {{ x }} | ssh host sh", "ssh"),
        ("declare -i n={{ x }}", "declare"),
        ("unset {{ x }}", "unset"),
    ],
)  # fmt: skip
def test_a_value_in_an_inner_program_is_flagged(text: str, reader: str) -> None:
    warnings = warn_nested(text)
    assert len(warnings) == 1
    assert f"a program that `{reader}` reads" in warnings[0]
    assert "`{{ x }}`" in warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "echo {{ x }}",
        "sh -c 'echo \"$1\"' sh {{ x }}",
        "bash script.sh -c {{ x }}",
        "sh script.sh {{ x }} | cat",
        "python3 script.py {{ x }}",
        "python3 script.py -c {{ x }}",
        "python3 -m tool {{ x }}",
        "grep eval {{ x }}",
        "ssh {{ x }} uptime",
        "ssh -i {{ x }} host uptime",
        "awk '{ print }' {{ x }}",
        "awk -v a={{ x }} '{ print a }' file",
        "sed -n 1p {{ x }}",
        "psql -d {{ x }} -c 'select 1'",
        "cat <<END\n{{ x }}\nEND",
        "python3 tool.py <<END\n{{ x }}\nEND",
        "echo {{ x }} | python3 tool.py",
        "echo {{ x }} || sh",
        "echo {{ x }} | grep sh",
        "export NAME={{ x }}; local b={{ x }}",
        "# eval {{ x }}",
        'no values, eval "$x"',
        "echo '{{ x",
    ],
)
def test_an_argument_is_not(text: str) -> None:
    assert warn_nested(text) == []

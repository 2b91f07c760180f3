"""The imap source against a real server: new mail, as a person would read it, and nothing marked as read."""

from __future__ import annotations

import base64
import imaplib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import certificate
from tests.support.mailbox import PASSWORD, Mailbox, mail, mailbox

from rota.model.errors import StepError
from rota.sources import imap
from rota.sources.imap_attachments import file_name
from rota.sources.imap_mail import Attachment

SECRET = "s3cret-c4nary"


@pytest.fixture(scope="module")
def server() -> Iterator[Mailbox]:
    with mailbox() as running:
        yield running


@pytest.fixture
def box(server: Mailbox) -> Mailbox:
    """The server with an empty INBOX."""
    with server.client() as client:
        _, (count,) = client.select("INBOX")
        if count != b"0":
            client.store("1:*", "+FLAGS", "\\Deleted")
            client.expunge()
    return server


def pull(box: Mailbox, workspace: Path, cursor: Any = None, **config: Any) -> dict[str, Any]:
    return imap.pull({**box.config, **config}, str(workspace), cursor, "mail")


def titles(answer: dict[str, Any]) -> list[str]:
    return [one["title"] for one in answer["items"]]


def with_parts(subject: str, *parts: str) -> bytes:
    body = "".join(f"--b0\r\n{part}\r\n" for part in parts) + "--b0--\r\n"
    return mail(subject, body, headers='MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b0"')


def attached(name: str, data: bytes, kind: str = "application/pdf") -> str:
    return (
        f'Content-Type: {kind}\r\nContent-Disposition: attachment; filename="{name}"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(data).decode()}"
    )


def text_part(text: str, kind: str = "text/plain") -> str:
    return f"Content-Type: {kind}; charset=utf-8\r\n\r\n{text}"


def test_a_mail_is_an_item_and_a_note(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(mail("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Hello\r\n\r\nDana."))
    answer = pull(box, tmp_path)
    (one,) = answer["items"]
    assert (one["title"], one["from"], one["to"]) == (
        "Grüße",
        "Sam <sam@example.org>",
        ["Dana <dana@example.org>"],
    )
    assert (one["date"], one["text"], one["unread"]) == ("2026-11-23T08:30:00+00:00", "Hello\n\nDana.", True)
    (path,) = answer["files"]
    assert path.startswith("resources/mail/grüße-")
    text = (tmp_path / path).read_text()
    assert "participants:\n- Sam <sam@example.org>\n- Dana <dana@example.org>\n" in text
    assert text.endswith("---\n\nHello\n\nDana.\n")
    assert pull(box, tmp_path, notes=False)["files"] == []


def test_nothing_is_marked_as_read(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(mail("one"))
    pull(box, tmp_path)
    assert "\\Seen" not in box.flags()[0]


def test_only_new_mail_comes_again(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(mail("one"), mail("two"))
    first = pull(box, tmp_path)
    assert titles(first) == ["one", "two"]
    again = pull(box, tmp_path, first["cursor"])
    assert (again["unchanged"], again["cursor"]) == (True, first["cursor"])
    box.deliver(mail("three"))
    assert titles(pull(box, tmp_path, first["cursor"])) == ["three"]


def test_a_mail_that_is_gone_is_no_news(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(mail("one"))
    first = pull(box, tmp_path)
    with box.client() as client:
        client.select("INBOX")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
    assert pull(box, tmp_path, first["cursor"])["unchanged"] is True


def test_the_first_look_takes_the_latest_few(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(*(mail(f"m{n}") for n in range(5)))
    first = pull(box, tmp_path, first=2)
    assert titles(first) == ["m3", "m4"]
    none = pull(box, tmp_path, first=0)
    box.deliver(mail("new"))
    assert titles(pull(box, tmp_path, none["cursor"], first=0)) == ["new"]


def test_more_than_the_most_comes_with_the_next_look(box: Mailbox, tmp_path: Path) -> None:
    start = pull(box, tmp_path)
    box.deliver(*(mail(f"m{n}") for n in range(5)))
    first = pull(box, tmp_path, start["cursor"], most=3)
    assert titles(first) == ["m0", "m1", "m2"]
    assert "2 more mails" in first["note"]
    second = pull(box, tmp_path, first["cursor"], most=3)
    assert titles(second) == ["m3", "m4"]


def test_a_search_chooses(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(mail("news"), mail("bill", sender="shop@example.org"), mail("=?utf-8?q?Gr=C3=BC=C3=9Fe?="))
    assert titles(pull(box, tmp_path, search='FROM "shop"')) == ["bill"]
    assert titles(pull(box, tmp_path, search='UNSEEN NOT SUBJECT "bill"')) == ["news", "Grüße"]
    assert titles(pull(box, tmp_path, search='SUBJECT "Grüße"')) == ["Grüße"]
    with pytest.raises(StepError, match="does not understand `search:`: Error in IMAP command") as failure:
        pull(box, tmp_path, search="NONSENSE")
    assert failure.value.permanent
    with pytest.raises(StepError, match="`search`"):
        pull(box, tmp_path, search="ALL\r\nx LOGOUT")


def test_another_folder(box: Mailbox, tmp_path: Path) -> None:
    with box.client() as client:
        client.create("&ANw-bersicht.2026")
    box.deliver(mail("filed"), folder="&ANw-bersicht.2026")
    assert titles(pull(box, tmp_path, folder="Übersicht.2026")) == ["filed"]
    with pytest.raises(StepError, match="cannot say how 'Nope' stands") as failure:
        pull(box, tmp_path, folder="Nope")
    assert failure.value.permanent
    assert "there are INBOX" in (failure.value.hint or "") or "INBOX" in (failure.value.hint or "")


def test_a_folder_that_was_numbered_anew(box: Mailbox, tmp_path: Path) -> None:
    with box.client() as client:
        client.create("moved")
    box.deliver(mail("one"), mail("two"), folder="moved")
    first = pull(box, tmp_path, folder="moved")
    with box.client() as client:
        client.rename("moved", "aside")
        client.create("moved")
        client.select("aside")
        client.copy("1:*", "moved")
    box.deliver(mail("three"), folder="moved")
    second = pull(box, tmp_path, first["cursor"], folder="moved")
    assert first["cursor"]["validity"] != second["cursor"]["validity"]
    assert titles(second) == ["three"]
    assert "numbered the folder anew" in second["note"]
    assert pull(box, tmp_path, second["cursor"], folder="moved")["unchanged"] is True


def test_html_becomes_markdown_where_there_is_no_text(box: Mailbox, tmp_path: Path) -> None:
    html = "<h1>Hi</h1><p>See <a href='https://h/x'>this</a></p><style>p{}</style><script>x()</script>"
    both = [text_part("As text"), text_part("<b>As HTML</b>", "text/html")]
    box.deliver(with_parts("html", text_part(html, "text/html")), with_parts("both", *both))
    one, two = pull(box, tmp_path)["items"]
    assert one["text"] == "# Hi\n\nSee [this](https://h/x)"
    assert two["text"] == "As text"


def test_attachments_are_named_and_saved_where_it_is_said(box: Mailbox, tmp_path: Path) -> None:
    parts = [
        text_part("See there."),
        attached("Bill 1.PDF", b"%PDF-1"),
        attached("../../.rota/jobs/evil.yaml", b"run: x", "text/yaml"),
        attached("Bill 1.PDF", b"%PDF-2"),
        attached("big.bin", b"x" * 300_000),
    ]
    box.deliver(with_parts("bills", *parts))
    told = pull(box, tmp_path, notes=False)["items"][0]["attachments"]
    assert told[0] == {"name": "Bill 1.PDF", "type": "application/pdf", "size": 6}
    answer = pull(box, tmp_path, attachments=True, attachment_mb=0.2)
    note, *files = answer["files"]
    folder = note.removesuffix(".md")
    assert files == [f"{folder}/bill-1.pdf", f"{folder}/evil.yaml", f"{folder}/bill-1-2.pdf"]
    assert (tmp_path / files[2]).read_bytes() == b"%PDF-2"
    assert "big.bin (0.3 MB) is not saved" in answer["note"]
    assert answer["items"][0]["attachments"][1]["path"] == f"{folder}/evil.yaml"
    assert "- Bill 1.PDF (application/pdf, 6 bytes)" in (tmp_path / note).read_text()
    (tmp_path / files[0]).write_bytes(b"mine")
    pull(box, tmp_path, attachments=True)
    assert (tmp_path / files[0]).read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Report Q3.pdf", "report-q3.pdf"),
        ("..", "attachment"),
        ("", "attachment"),
        (".bashrc", "attachment.bashrc"),
        ("C:\\temp\\x.exe", "x.exe"),
        ("a/b\0c.p;d f", "b-c.pdf"),
        ("名前.txt", "名前.txt"),
        ("x" * 300 + ".tar.gz", "x" * 80 + ".gz"),
    ],
)
def test_attachments_have_names_that_are_safe(name: str, safe: str) -> None:
    assert file_name(Attachment(name, "application/x", b"")) == safe


def test_mails_that_are_broken_are_read_as_far_as_they_go(box: Mailbox, tmp_path: Path) -> None:
    box.deliver(
        b"\r\nno header at all",
        b"Subject: =?no-such-charset?q?=FF?=\r\nDate: never\r\nFrom: <<>>@\r\n\r\n\xff\xfe",
        b'Content-Type: multipart/mixed; boundary="x"\r\nSubject: torn\r\n\r\n--x\r\nContent-Type: text/html',
        b"Subject: two\r\n lines\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nbody\x00here",
    )
    answer = pull(box, tmp_path)
    assert len(answer["items"]) == 4
    assert answer["items"][0]["title"] == "(no subject)"
    assert answer["items"][3]["title"] == "two lines"
    assert len(answer["files"]) == 4


def test_a_wrong_password_is_permanent_and_not_shown(box: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="did not let us in") as failure:
        pull(box, tmp_path, password=SECRET)
    assert failure.value.permanent
    assert "app password" in (failure.value.hint or "")
    assert SECRET not in f"{failure.value} {failure.value.hint}"


def test_tls_and_starttls_with_a_certificate_that_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tls").mkdir()
    files = certificate(tmp_path / "tls")
    for file in files:
        file.chmod(0o644)
    with mailbox(files) as box:
        box.deliver(mail("one"))
        tls = {"security": "tls", "port": box.tls_port}
        for config in (tls, {"security": "starttls"}):
            with pytest.raises(StepError, match=r"certificate of 127\.0\.0\.1 is not trusted") as failure:
                pull(box, tmp_path, **config)
            assert failure.value.permanent
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
        assert titles(pull(box, tmp_path, **tls)) == ["one"]
        assert titles(pull(box, tmp_path, security="starttls")) == ["one"]


def test_a_server_without_tls_is_not_spoken_to_in_the_clear(box: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="TLS not supported"):
        pull(box, tmp_path, security="starttls")
    with pytest.raises(StepError, match="in the clear"):
        pull(box, tmp_path, host="mail.example.org")


def test_either_a_password_or_a_token(box: Mailbox, tmp_path: Path) -> None:
    for keys in ({"password": ""}, {"token": "x"}):
        with pytest.raises(StepError, match="either `password` or `token`"):
            pull(box, tmp_path, **keys)


class Talker:
    """A server that says what it is told to: for what a well-behaved one never does."""

    def __init__(self, *lines: bytes) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.lines = lines

    @property
    def config(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.socket.getsockname()[1],
            "security": "none",
            "user": "dana",
            "password": PASSWORD,
        }

    def serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection, connection.makefile("rwb") as stream:
            for line in self.lines:
                stream.write(line)
                stream.flush()
                tag = (stream.readline().split() or [b""])[0]
                if not tag:
                    return
                if line.startswith(b"* BYE"):
                    return
                stream.write(tag + b" ")
            stream.flush()


@pytest.mark.parametrize(
    ("lines", "words", "permanent"),
    [
        (
            (b"* OK hi\r\n", b"OK [CAPABILITY IMAP4rev1]\r\n", b"NO [UNAVAILABLE] busy\r\n"),
            "did not let us in",
            False,
        ),
        (
            (b"* OK hi\r\n", b"OK [CAPABILITY IMAP4rev1]\r\n", b"NO too many connections\r\n"),
            "let us in",
            False,
        ),
        (
            (b"* OK hi\r\n", b"OK [CAPABILITY IMAP4rev1]\r\n", b"NO [AUTHENTICATIONFAILED] no\r\n"),
            "let us in",
            True,
        ),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "could not be reached", False),
    ],
)
def test_what_a_server_says_decides_whether_it_is_tried_again(
    tmp_path: Path, lines: tuple[bytes, ...], words: str, permanent: bool
) -> None:
    import threading

    talker = Talker(*lines)
    threading.Thread(target=talker.serve, daemon=True).start()
    with pytest.raises(StepError, match=words) as failure:
        imap.pull({**talker.config, "give_up_after": 20}, str(tmp_path))
    assert failure.value.permanent is permanent
    talker.socket.close()


def test_a_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = {
            "host": "127.0.0.1",
            "port": silent.getsockname()[1],
            "security": "none",
            "user": "x",
            "password": "x",
        }
        with pytest.raises(StepError) as failure:
            imap.pull({**config, "give_up_after": 0.5}, str(tmp_path))
        assert not failure.value.permanent


def test_a_refused_connection_may_work_later(tmp_path: Path) -> None:
    config = {"host": "127.0.0.1", "port": 1, "security": "none", "user": "x", "password": SECRET}
    with pytest.raises(StepError, match="could not be reached") as failure:
        imap.pull(config, str(tmp_path))
    assert (failure.value.permanent, failure.value.code) == (False, "connection")


def test_the_library_is_read_only_here(box: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    whole = imaplib.IMAP4._command  # type: ignore[attr-defined]

    def listen(self: imaplib.IMAP4, name: str, *arguments: Any) -> Any:
        said.append(name if name != "UID" else f"UID {arguments[0]}")
        return whole(self, name, *arguments)

    box.deliver(mail("one"))
    monkeypatch.setattr(imaplib.IMAP4, "_command", listen)
    pull(box, tmp_path)
    assert {"SELECT", "STORE", "COPY", "EXPUNGE", "APPEND"} & {name.upper() for name in said} == set()
    assert "EXAMINE" in said

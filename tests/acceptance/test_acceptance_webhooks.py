"""Webhooks through the real daemon: what a provider sends, and what becomes of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from tests.support.hooks import Sender, bearer, finished, hook, token_of, url_of
from tests.support.rota import Rota, eventually, new_workspace

from rota.triggers.sign import signed

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {
    "github": "It's a Secret to Everybody",
    "slack": "8f742231b10e8888abcd99yyyzzz85a5",
    "stripe": "whsec_test",
    "standard": WHSEC,
    "notion": "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl",
    "linear": "lin_wh_1",
    "shopify": "shpss_1",
}
COUNT = "run: echo ran >> {name}.txt\n"
# Its published example is of that second, and the server goes by today's clock.
LONG_AGO = "20000d"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rota, Sender]]:
    """A workspace with a hook for each provider, and its daemon."""
    with new_workspace(tmp_path_factory.mktemp("hooks") / "work") as rota:
        for name, secret in SECRETS.items():
            rota.quick("secret", "set", f"{name.upper()}_SECRET", stdin=secret)
            trigger = f'on: [{{webhook: {{verify: {name}, secret: "${{{name.upper()}_SECRET}}"}}}}]\n'
            hook(rota, name, trigger + COUNT.format(name=name))
            if name in {"slack", "standard"}:
                old = trigger.replace("secret:", f"tolerance: {LONG_AGO}, secret:")
                hook(rota, f"{name}-of-old", old + COUNT.format(name=f"{name}-of-old"))
        hook(rota, "meeting-ended", 'steps: [{run: "echo {{payload.title}} >> titles.txt"}]\n')
        rota.up()
        yield rota, Sender(url_of(rota))


@pytest.mark.parametrize("provider", SECRETS)
def test_genuine_tampered_replayed(provider: str, served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    headers, body = signed({"verify": provider}, SECRETS[provider], b'{"n": 1}', time.time())
    first = sender.post(provider, body, headers)
    assert first.status == 202, first
    assert finished(rota, first.run) == "succeeded"
    again = sender.post(provider, body, headers)
    assert (again.status, again.run, again.json["duplicate"]) == (202, first.run, True)
    # An id that is not signed can be changed by whoever sends it again.
    renamed = {name: "other" if "delivery" in name.lower() or "-id" in name.lower() else value
               for name, value in headers.items()}  # fmt: skip
    replayed = sender.post(provider, body, renamed)
    assert replayed.status == 401 if provider == "standard" else replayed.run == first.run
    tampered = sender.post(provider, body.replace(b"1", b"2", 1), headers)
    assert (tampered.status, tampered.json) == (401, {"error": "not verified"})
    assert sender.post(provider, body).status == 401
    assert rota.lines(f"{provider}.txt") == ["ran"]


@pytest.mark.parametrize("provider", ["slack", "stripe", "standard", "linear"])
def test_stale_deliveries_are_refused(provider: str, served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    before = rota.lines(f"{provider}.txt")
    for off in (-320, 320):
        headers, body = signed({"verify": provider}, SECRETS[provider], b'{"n": 7}', time.time() + off)
        assert sender.post(provider, body, headers).status == 401
    assert rota.lines(f"{provider}.txt") == before
    assert "s old" in rota.quick("hook", "logs", provider).err


def test_published_examples_are_taken_as_they_are(served: tuple[Rota, Sender]) -> None:
    _, sender = served
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    github = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "72d3162e", "Content-Type": "text/plain"}
    assert sender.post("github", b"Hello, World!", github).status == 202
    standard = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert sender.post("standard-of-old", b'{"test": 2432232314}', standard).status == 202
    assert sender.post("standard", b'{"test": 2432232314}', standard).status == 401
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    slack = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert sender.post("slack-of-old", body, slack).status == 202
    assert sender.post("slack", body, slack).status == 401


def test_what_the_providers_own_libraries_sign_is_taken(served: tuple[Rota, Sender]) -> None:
    _, sender = served
    from datetime import UTC, datetime

    stamp, body = str(int(time.time())), json.dumps({"id": "evt_own", "event_id": "EvOwn"})
    own = SignatureVerifier(SECRETS["slack"]).generate_signature(timestamp=stamp, body=body)
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": str(own)}
    assert sender.post("slack", body, headers).status == 202
    made = stripe.WebhookSignature._compute_signature(f"{stamp}.{body}", SECRETS["stripe"])
    assert sender.post("stripe", body, {"Stripe-Signature": f"t={stamp},v1={made}"}).status == 202
    at = datetime.fromtimestamp(int(stamp), UTC)
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": stamp,
        "webhook-signature": Webhook(WHSEC).sign("m1", at, body),
    }
    assert sender.post("standard", body, headers).status == 202


def test_challenges_are_answered_without_a_run(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    before = rota.lines("slack.txt")
    asked = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY"}).encode()
    headers, body = signed({"verify": "slack"}, SECRETS["slack"], asked, time.time())
    reply = sender.post("slack", body, headers)
    assert (reply.status, reply.text) == (200, "3eZbrw1aBm2rZgRNFdxV2595E9CY")
    assert sender.post("slack", asked).status == 401
    headers, body = signed({"verify": "github"}, SECRETS["github"], b'{"zen": "x"}', time.time())
    assert sender.post("github", body, {**headers, "X-GitHub-Event": "ping"}).json == {"pong": "github"}
    meta = "/hooks/stripe?hub.mode=subscribe&hub.verify_token=whsec_test&hub.challenge=1158201444"
    assert sender.send("GET", meta).text == "1158201444"
    assert sender.send("GET", meta.replace("whsec_test", "guess")).status == 405
    assert rota.lines("slack.txt") == before


def test_notion_gives_its_secret_and_a_person_confirms_it(rota: Rota) -> None:
    hook(rota, "notes", "on: [{webhook: {verify: notion}}]\nrun: echo {{ payload.type }} >> notes.txt\n")
    rota.up()
    sender = Sender(url_of(rota))
    token = SECRETS["notion"]
    assert sender.post("notes", json.dumps({"verification_token": token})).status == 200
    event = b'{"type": "page.created"}'
    headers, body = signed({"verify": "notion"}, token, event, time.time())
    assert sender.post("notes", body, headers).status == 403, "nobody has confirmed it"
    assert token in rota.quick("hook", "list", "notes").err
    rota.quick("hook", "confirm", "notes")
    accepted = sender.post("notes", body, headers)
    assert accepted.status == 202
    assert finished(rota, accepted.run) == "succeeded"
    assert rota.lines("notes.txt") == ["page.created"]
    assert token not in rota.read(".rota/logs/daemon.log")


INERT = [
    "$(touch x)",
    '"; rm -rf .',
    "{{7*7}}",
    "one\ntwo",
    "`touch x`",
    "'; touch x; '",
    "${HOME}",
    "-n",
    "\\",
]


@pytest.mark.parametrize("text", INERT)
def test_what_comes_from_outside_is_data(text: str, served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    program = "import sys\nopen('args.txt', 'w').write(repr(sys.argv[1:]))\n"
    rota.write("args.py", program)
    hook(rota, "inert", "run: python3 args.py {{ payload.title }} {{ headers['x-title'] }} {{ query.q }}\n")
    eventually(lambda: sender.send("GET", "/hooks/inert").status != 404, "it is read")
    from urllib.parse import quote

    header = " ".join(text.split())
    reply = sender.send(
        "POST", f"/hooks/inert?q={quote(text)}", json.dumps({"title": text}),
        {**bearer(rota, "inert"), "Content-Type": "application/json", "X-Title": header},
    )  # fmt: skip
    assert finished(rota, reply.run) == "succeeded"
    assert rota.read("args.txt") == repr([text, header, text])
    assert not (rota.root / "x").exists()


def test_a_product_hook_works_as_it_is(served: tuple[Rota, Sender]) -> None:
    """The file says nothing of secrets: rota makes a token, shows it, and asks for it."""
    rota, sender = served
    assert sender.post("meeting-ended", b'{"title": "Standup"}').status == 401
    listed = {one["name"]: one for one in rota.quick("hook", "list", "--json").json}["meeting-ended"]
    assert listed["secret"] == token_of(rota, "meeting-ended")
    header = {"Authorization": f"Bearer {listed['secret']}"}
    reply = sender.post("meeting-ended", b'{"title": "Standup"}', header)
    assert finished(rota, reply.run) == "succeeded"
    assert rota.lines("titles.txt") == ["Standup"]
    words = rota.quick("why", "meeting-ended").out
    assert "ran: called by the webhook meeting-ended" in words
    kept = rota.quick("hook", "logs", "meeting-ended", "--json").json
    assert kept["deliveries"][0]["headers"]["authorization"] == "***"
    assert listed["secret"] not in json.dumps(kept) + rota.quick("logs", "meeting-ended", "--json").out


def test_paused_is_accepted_recorded_and_replayed(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    hook(rota, "rests", "run: echo {{ payload.n }} >> rests.txt\n")
    eventually(lambda: sender.send("GET", "/hooks/rests").status != 404, "it is read")
    rota.quick("pause", "rests")
    reply = sender.post("rests", b'{"n": 5}', bearer(rota, "rests"))
    assert (reply.status, reply.run, reply.json["skipped"]) == (202, None, "paused")
    (kept,) = rota.quick("hook", "logs", "rests", "--json").json["deliveries"]
    assert (kept["outcome"], kept["reason"]) == ("skipped", "the job was paused")
    assert "skipped: the job was paused" in rota.quick("why", "rests").out
    run_id = rota.quick("hook", "replay", kept["id"]).out.strip()
    assert finished(rota, run_id) == "succeeded"
    assert rota.lines("rests.txt") == ["5"]


def test_filters_skip_with_the_reason(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    hook(
        rota,
        "opened",
        "on: [{webhook: {if: \"{{ payload.action == 'opened' }}\"}}]\nrun: echo {{ payload.action }} >> opened.txt\n",
    )
    eventually(lambda: sender.send("GET", "/hooks/opened").status != 404, "it is read")
    replies = [
        sender.post("opened", json.dumps(p), bearer(rota, "opened"))
        for p in ({"action": "closed"}, {}, {"action": "opened"})
    ]
    assert [reply.json.get("skipped") for reply in replies] == ["condition", "condition", None]
    assert finished(rota, replies[2].run) == "succeeded"
    assert rota.lines("opened.txt") == ["opened"]
    assert "skipped: the webhook's `if:" in rota.quick("why", "opened").out


def test_a_burst_makes_one_run_with_all_of_it(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    hook(
        rota,
        "burst",
        "on: [{webhook: {debounce: 1s}}]\nrun: echo {{ payloads | length }} {{ payload.n }} >> burst.txt\n",
    )
    hook(
        rota,
        "lot",
        "on: [{webhook: {batch: {max: 3, within: 1h}}}]\nrun: echo {{ payloads | map(attribute='n') | join('-') }} >> lot.txt\n",
    )
    eventually(
        lambda: 404 not in {sender.send("GET", f"/hooks/{n}").status for n in ("burst", "lot")},
        "they are read",
    )
    runs = {sender.post("burst", json.dumps({"n": n}), bearer(rota, "burst")).run for n in range(5)}
    (run_id,) = runs
    assert finished(rota, run_id) == "succeeded"
    assert rota.lines("burst.txt") == ["5 4"]
    lots = [sender.post("lot", json.dumps({"n": n}), bearer(rota, "lot")).run for n in range(4)]
    assert (len(set(lots[:3])), lots[3] == lots[0]) == (1, False)
    assert finished(rota, lots[0]) == "succeeded"
    assert rota.lines("lot.txt") == ["0-1-2"]


def test_a_secret_is_changed_without_a_gap(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    hook(rota, "turns", "on: [{webhook: {secret: [hex:6e6577, old]}}]\nrun: 'true'\n")
    eventually(lambda: sender.send("GET", "/hooks/turns").status != 404, "it is read")
    said = [
        sender.post("turns", json.dumps({"t": t}), {"Authorization": f"Bearer {t}"}).status
        for t in ("old", "new", "hex:6e6577")
    ]
    assert said == [202, 202, 401]


def test_a_rate_is_kept(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    hook(rota, "slowly", "on: [{webhook: {rate: 2/hour}}]\nrun: 'true'\n")
    eventually(lambda: sender.send("GET", "/hooks/slowly").status != 404, "it is read")
    replies = [sender.post("slowly", json.dumps({"n": n}), bearer(rota, "slowly")) for n in range(3)]
    assert [reply.status for reply in replies] == [202, 202, 429]
    assert 0 < int(replies[2].headers["retry-after"]) <= 3600


def test_what_the_door_refuses(served: tuple[Rota, Sender]) -> None:
    rota, sender = served
    opened = bearer(rota, "meeting-ended")
    assert sender.send("GET", "/health").json == {"status": "ok"}
    assert sender.send("GET", "/health", headers={"Host": "evil.example"}).status == 421
    assert sender.post("meeting-ended", b"{}", {**opened, "Host": "evil.example:8765"}).status == 421
    assert sender.send("PUT", "/hooks/meeting-ended").status == 405
    assert sender.send("POST", "/hooks/no-such", b"{}").status == 404
    assert sender.send("POST", "/hooks/../health", b"{}").status == 404
    assert sender.post("meeting-ended", b"{no", opened).status == 400
    assert sender.post("meeting-ended", b"x" * 1_100_000, opened).status == 413
    assert sender.post("meeting-ended", b"x", {**opened, "Content-Encoding": "gzip"}).status == 415
    assert sender.send("GET", "/").status == 404
    assert rota.lines("titles.txt") == ["Standup"] or not Path(rota.root / "titles.txt").exists()


def test_hook_test_goes_the_whole_way(served: tuple[Rota, Sender]) -> None:
    rota, _ = served
    for name in SECRETS:
        said = rota.quick("hook", "test", name, "--json").json
        assert said["status"] == 202, (name, said)
        assert finished(rota, said["answer"]["run"]) == "succeeded"


@pytest.mark.parametrize("forwarded", [True, False])
def test_only_a_proxy_that_is_known_says_who_the_client_is(rota: Rota, forwarded: bool) -> None:
    rota.write(".rota/rota.yaml", f"timezone: UTC\nweb: {{forwarded: {json.dumps(forwarded)}}}\n")
    hook(rota, "h", "on: [{webhook: {rate: 2/hour}}]\nrun: 'true'\n")
    rota.up()
    sender, header = Sender(url_of(rota)), bearer(rota, "h")

    def post(client: str, number: int) -> int:
        # What stands before the last comma is the client's own word.
        named = {"X-Forwarded-For": f"198.51.100.{number}, {client}"}
        return sender.post("h", json.dumps({"n": number}), {**header, **named}).status

    assert [post("203.0.113.1", number) for number in range(3)] == [202, 202, 429]
    assert post("203.0.113.2", 4) == (202 if forwarded else 429)
    clients = {row["client"] for row in rota.quick("hook", "logs", "h", "--json").json["deliveries"]}
    assert clients == ({"203.0.113.1", "203.0.113.2"} if forwarded else {"127.0.0.1"})


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
def test_the_door_at_an_ipv6_address(rota: Rota) -> None:
    rota.write(".rota/rota.yaml", 'timezone: UTC\nweb: {host: "::1"}\n')
    hook(rota, "h", "run: 'true'\n")
    rota.up()
    url = url_of(rota)
    assert url.startswith("http://[::1]:")
    reply = Sender(url).post("h", b"{}", bearer(rota, "h"))
    assert finished(rota, reply.run) == "succeeded"
    assert [row["client"] for row in rota.quick("hook", "logs", "h", "--json").json["deliveries"]] == ["::1"]
    assert rota.quick("hook", "test", "h", "--json").json["status"] == 202


def test_a_webhook_has_no_time_of_its_own(rota: Rota) -> None:
    hook(rota, "h", "run: 'true'\n")
    said = rota.quick("next", "h")
    assert (said.out, said.err.splitlines()[0]) == ("", "h (webhook h)")
    assert "no time of its own" in said.err
    assert rota.quick("next", "h", "--json").json == []
    load = rota.quick("simulate", "--job", "h").out
    assert "0 runs" in load.splitlines()[0]
    assert "h: not by the clock: webhook h" in load

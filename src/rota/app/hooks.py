"""The hooks of a workspace: by name, with what their requests have to prove."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rota.app.hookindex import all_with_hooks, has_index, jobs_of, make_index
from rota.app.wiring import App
from rota.engine.gathering import Gather
from rota.model.errors import NotFoundError, RotaError
from rota.model.job import Job, Trigger
from rota.model.ledger import JobRecord
from rota.ports.store import Tx
from rota.spec import from_json
from rota.spec.webhooks import DEFAULT, MADE
from rota.templates import fill_secrets, secret_names
from rota.triggers.verify import Rule, rule_of

# Seconds in which the same content without an id is the same delivery, for senders that try again.
DEDUPE = 600.0
_KEPT = 1024
# Seconds for which what was found is not looked up again: whether the job is at rest is asked anew all the same.
FRESH = 0.2


@dataclass(frozen=True)
class Hook:
    """A webhook trigger of a job: `POST /hooks/NAME`. `others`: jobs that have the same name, and get nothing."""

    name: str
    record: JobRecord
    job: Job
    trigger: Trigger
    others: tuple[str, ...] = ()

    @property
    def options(self) -> Mapping[str, Any]:
        """The keys of the trigger (spec.webhooks)."""
        return self.trigger.options

    @property
    def scheme(self) -> str:
        """How its requests prove themselves."""
        return str(self.options.get("verify", DEFAULT))

    @cached_property
    def rule(self) -> Rule:
        """The same in full."""
        return rule_of(self.options)

    @cached_property
    def gather(self) -> Gather | None:
        """How its deliveries wait for each other, if they do."""
        return Gather.of(self.options)

    @property
    def dedupe(self) -> float:
        """Seconds in which the same content is the same delivery."""
        return float(self.options.get("dedupe", DEDUPE))

    @property
    def texts(self) -> tuple[str, ...]:
        """What the file says as its secrets; the name of rota's own where it says none."""
        if self.scheme == "none":
            return ()
        return tuple(self.options.get("secret") or (f"${{{token_name(self.name)}}}",))

    @property
    def makes_token(self) -> bool:
        """Whether rota itself makes its secret."""
        return self.scheme in MADE and not self.options.get("secret")

    @property
    def inline(self) -> bool:
        """Whether a secret stands in the file itself."""
        return any(not secret_names(text) for text in self.texts)


def token_name(name: str) -> str:
    """The name of the secret that rota keeps for a hook that says none."""
    plain = re.fullmatch(r"[a-z0-9-]+", name) is not None
    tail = "" if plain else f"_{zlib.crc32(name.encode()):08X}"
    return f"ROTA_HOOK_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}{tail}"


def pending_name(name: str) -> str:
    """The name of the secret that a provider sent, and no person has confirmed."""
    return f"{token_name(name)}_PENDING"


@dataclass
class Hooks:
    """Finds hooks for the door. What a definition says is read once, since its hash never changes its meaning."""

    app: App
    _known: dict[tuple[str, str], Hook] = field(default_factory=dict)
    _recent: dict[str, tuple[float, Hook]] = field(default_factory=dict)
    _secrets: dict[str, tuple[float, Hook, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        now = self.app.clock.now()
        if not self.app.store.read(has_index):  # who only looks needs no room on the disk
            self.app.store.write_now(lambda tx: make_index(tx, now))

    def find(self, name: str) -> Hook | None:
        """The hook of that name; None when there is none."""
        until, hook = self._recent.get(name, (0.0, None))
        now = self.app.clock.monotonic()
        if hook is None or now > until:
            hook = self.app.store.read(lambda tx: self._find(tx, name))
            self._recent.pop(name, None)
            if hook is not None:
                self._recent[name] = (now + FRESH, hook)
        return hook

    def secrets(self, hook: Hook) -> list[str]:
        """`secrets_of` the hook, as they were a moment ago: to look at their file costs more than to compare."""
        until, known, secrets = self._secrets.get(hook.name, (0.0, None, []))
        now = self.app.clock.monotonic()
        if known is not hook or now > until:
            secrets = secrets_of(self.app, hook)
            self._secrets[hook.name] = (now + FRESH, hook, secrets)
        return secrets

    def _find(self, tx: Tx, name: str) -> Hook | None:
        records = jobs_of(tx, name)
        if not records:
            return None
        # A file in the hooks folder has its name from there: it goes before a job that took the same.
        records.sort(key=lambda record: (f"/hooks/{name}." not in f"/{record.path}", record.id))
        record = records[0]
        known = self._known.get((name, record.hash))
        if known is None:
            job = from_json(record.definition)
            trigger = next((t for t in job.triggers if t.kind == "webhook" and t.text == name), None)
            if trigger is None:
                return None
            known = Hook(name, record, job, trigger, tuple(other.id for other in records[1:]))
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[name, record.hash] = known
        return known


def secrets_of(app: App, hook: Hook) -> list[str]:
    """The secrets that a request may be proven with. Raises TemplateError for one that is not set."""
    return [fill_secrets(text, app.secrets.get) for text in hook.texts]


def list_hooks(app: App) -> list[Hook]:
    """Every hook, by name."""
    hooks = Hooks(app)
    names: set[str] = set()
    for record in app.store.read(all_with_hooks):
        names |= {t.text for t in from_json(record.definition).triggers if t.kind == "webhook"}
    found = [hooks.find(name) for name in sorted(names)]
    return [hook for hook in found if hook is not None]


def find_hook(app: App, name: str) -> Hook:
    """The hook of that name. Raises NotFoundError."""
    hook = Hooks(app).find(name)
    if hook is None:
        raise NotFoundError(f"there is no hook `{name}`", hint="see what there is: rota hook list")
    return hook


def make_tokens(app: App, jobs: list[Job]) -> None:
    """Make the tokens of hooks that ask for none of their own. Raises RotaError where they cannot be stored."""
    for job in jobs:
        for trigger in job.triggers:
            own = trigger.options.get("secret")
            if trigger.kind == "webhook" and trigger.options.get("verify", DEFAULT) in MADE and not own:
                app.secrets.make(token_name(trigger.text))


def problem_of(app: App, hook: Hook) -> RotaError | None:
    """What keeps the hook from taking anything: a secret that is not set, or cannot be read."""
    try:
        secrets_of(app, hook)
    except RotaError as error:
        return error
    return None

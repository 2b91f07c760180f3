"""The desk's tools towards people: ask them, see what they decided, tell them; and who the agent is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rota.app.desk_tools import acts, looks
from rota.app.desk_words import at, count, say, takes, text
from rota.model.agent import Actor
from rota.model.errors import RotaError

if TYPE_CHECKING:
    from rota.app.wiring import App
    from rota.model.proposal import Proposal

Given = Mapping[str, Any]
_LONGEST = 4_000


def _ask(app: App, given: Given, actor: Actor) -> str:
    from rota.app.proposing import submit
    from rota.model.proposal import Deed, Proposal

    choices = [str(choice) for choice in given.get("choices") or ()]
    if len(choices) == 1 or len(choices) > 10 or len(set(choices)) < len(choices):
        raise RotaError("`choices` are two to ten different answers", hint="leave them out for yes and no")
    question = " ".join(str(given["question"]).split())
    wish = Proposal(
        Deed.QUESTION,
        actor,
        _short(question, "question"),
        app.clock.now(),
        why=_short(str(given.get("why", "")), "why"),
        detail={"choices": choices or ["yes", "no"]},
    )
    stored = submit(app, wish)
    return (
        f"Asked as {stored.id}. A person answers when they come to it; do not wait. Use proposal_show {stored.id} later to "
        "read the answer; without one, do what is safe."
    )


def _short(words: str, what: str) -> str:
    if len(words) > _LONGEST or not (words or what == "why"):
        raise RotaError(
            f"`{what}` has 1 to {_LONGEST:,} characters", hint="say it shorter, and point to a file"
        )
    return words


def _notify(app: App, given: Given, actor: Actor) -> str:
    from rota.app.proposing import submit
    from rota.model.proposal import Deed, Proposal

    channels = [notify.type for notify in app.config.notify]
    if not channels:
        raise RotaError(
            "this workspace has no channel for messages", hint="a person sets `notify:` in rota.yaml"
        )
    wanted = given.get("channel")
    if wanted is not None and wanted not in channels:
        raise RotaError(f"messages do not go to `{wanted}`", hint=f"they go to {', '.join(channels)}")
    message = _short(str(given["message"]), "message")
    title = " ".join(str(given.get("title") or f"From {actor.name}").split())[:200]
    submit(
        app,
        Proposal(Deed.NOTIFY, actor, title, app.clock.now(), detail={"message": message, "channel": wanted}),
    )
    return f"On its way to {wanted or ', '.join(channels)}."


def _proposals(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.proposals import open_proposals

    if given["open_only"]:
        found = open_proposals(app)
    else:
        found = app.store.read(lambda tx: tx.proposals.recent(int(given["limit"])))
    return say([_brief(app, one) for one in found]) if found else "There are none."


def _brief(app: App, one: Proposal) -> dict[str, Any]:
    zone = app.config.timezone
    return {
        "id": one.id,
        "state": one.state.value,
        "what": one.title,
        "by": one.actor.name,
        "asked": at(one.asked_at, zone),
        "decided_by": one.decided_by,
        "answer": one.answer,
        "result": one.result,
    }


def _proposal(app: App, given: Given, _actor: Actor) -> str:
    from rota.app.diffs import diff_of
    from rota.app.proposals import find_proposal

    one = find_proposal(app, str(given["proposal"]))
    zone = app.config.timezone
    about = _brief(app, one) | {
        "why": one.why,
        "note": one.detail.get("note"),
        "choices": one.detail.get("choices"),
        "next_fires": [at(moment, zone) for moment in one.detail.get("fires", ())],
        "expires": at(one.expires_at, zone) if one.state.value == "open" else None,
    }
    diff = diff_of(one)
    return say(about) + (f"\n\n{diff}" if diff else "")


def _inbox(app: App, _given: Given, _actor: Actor) -> str:
    from rota.app.queries import inbox

    found = [
        {"run": q.run_id, "job": q.job_id, "step": q.step_id, "kind": q.kind, "question": q.question[:500]}
        for q in inbox(app)
    ]
    return say(found) if found else "No run waits for a person."


def _whoami(app: App, _given: Given, actor: Actor) -> str:
    policy = app.config.agents
    return say(
        {
            "you": vars(actor),
            "workspace": app.config.name or app.layout.root.name,
            "timezone": app.config.timezone,
            "now": at(app.clock.now(), app.config.timezone),
            "policy": {
                **{key: getattr(policy, key).value for key in ("create", "change", "remove", "pause", "run")},
                "max_jobs": policy.max_jobs,
                "max_per_day": policy.max_per_day,
                "budget": dict(policy.budget),
            },
        }
    )


def _help(_app: App, _given: Given, _actor: Actor) -> str:
    from rota.app.desk_guide import GUIDE

    return GUIDE


TOOLS = (
    acts(
        "ask",
        "Put a question before a person. It answers with an id at once; the answer comes later, if at all.",
        takes(
            "question",
            question=text("A question that can be answered without further reading."),
            choices={
                "type": "array",
                "items": {"type": "string"},
                "description": "Answers; yes and no unless said.",
            },
            why=text("What you need it for."),
        ),
        _ask,
    ),
    acts(
        "notify",
        "Send a message to the people of this workspace, by the channels that they chose. Use it sparingly.",
        takes(
            "message",
            message=text("The message."),
            title=text("Its title."),
            channel=text("Only to this one of the workspace's channels."),
        ),
        _notify,
    ),
    looks(
        "proposal_list",
        "What agents proposed, asked and did, and what people decided, the latest first.",
        takes(
            open_only={"type": "boolean", "default": False, "description": "Only what waits for a person."},
            limit=count("How many.", 20, 200),
        ),
        _proposals,
    ),
    looks(
        "proposal_show",
        "One proposal or question: its state, the decision and the reason, the diff and the next fires.",
        takes("proposal", proposal=text("Its id: P-12.")),
        _proposal,
    ),
    looks(
        "inbox_list",
        "What runs wait for a person to answer. Agents see it; people answer it.",
        takes(),
        _inbox,
    ),
    looks("whoami", "Who you are here, what you may do, and what time it is.", takes(), _whoami),
    looks("help", "How to write a job, and how to work with rota.", takes(), _help),
)

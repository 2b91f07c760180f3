"""The conversation that a try of an agent step has: what it goes on with, and what is left of it for the next."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rota.model.agent import AgentSession, Denial, Outcome, run_key
from rota.model.errors import StepError
from rota.model.job import OnInterrupt
from rota.ports.agents import AgentResult, Runner, Sessions, can_continue
from rota.ports.steps import StepContext
from rota.spec.agent_keys import SessionKeys, session_key

# Cut off from outside: the next try goes on. After any other failure it starts afresh.
_CUT_OFF = frozenset({Outcome.PROVIDER, Outcome.TIMEOUT})


@dataclass(frozen=True)
class Talk:
    """The conversation of one try.

    `before`: what is gone on with, by the key of the step at work (None: it is a new one). `cut`: an earlier try of
    this step was cut off in the midst of it. `kept`: the key under which it stays when the step is done.
    """

    runner: Runner
    ctx: StepContext
    kept: str | None = None
    before: AgentSession | None = None
    cut: bool = False

    @property
    def key(self) -> str:
        """The key of the step at work."""
        return run_key(self.ctx.run.id, self.ctx.step.id)

    @property
    def said(self) -> str:
        """What a person's answer has the agent told."""
        return "" if self.before is None or not self.cut else self.before.said

    @property
    def refused(self) -> tuple[Denial, ...]:
        """What a person has denied it in this run already."""
        return () if self.before is None else self.before.refused

    @property
    def _sessions(self) -> Sessions | None:
        return self.ctx.services.sessions if can_continue(self.runner, self.ctx.config) else None

    async def begin(self) -> None:
        """Note that it is under way, before anything is asked of a model."""
        if self._sessions is not None:
            begun = self.before or AgentSession(self.key, self.runner.key, "")
            await self._sessions.put(replace(begun, key=self.key, open=True))

    async def ask(self, session: AgentSession, asked: tuple[Denial, ...]) -> None:
        """It stands still until a person has answered about what it wants."""
        if self._sessions is not None:
            known = self._with_answers(session)
            await self._sessions.put(replace(known, key=self.key, open=True, asked=asked, said=""))

    async def end(self, result: AgentResult) -> None:
        """Keep what can be gone on with, and forget the rest."""
        sessions, session = self._sessions, result.session
        if sessions is None:
            return
        if session is not None and not session.id:
            session = None
        done = result.outcome is Outcome.DONE
        if session is not None and self.kept is not None and (done or self._is_kept(session)):
            await sessions.put(
                AgentSession(self.kept, session.runner, session.id, session.model, session.totals, open=False)
            )
        if done and session is not None:
            await sessions.put(replace(session, key=self.key, open=False, asked=(), said=""))
        elif not self._goes_on(result.outcome):
            await sessions.drop(self.key)
        elif session is not None:
            await sessions.put(replace(self._with_answers(session), key=self.key, open=True))

    async def drop(self) -> None:
        """Forget it: nothing of it is gone on with."""
        if self._sessions is not None:
            await self._sessions.drop(self.key)

    def _with_answers(self, session: AgentSession) -> AgentSession:
        """What people have answered is rota's to know, whatever a runner makes of the rest."""
        before = self.before
        if before is None:
            return session
        return replace(session, grants=before.grants, refused=before.refused, said=before.said)

    def _is_kept(self, session: AgentSession) -> bool:
        """Whether it is one that was kept before: its figures have grown, however the try ended."""
        return self.before is not None and session.id == self.before.id

    def _goes_on(self, outcome: Outcome) -> bool:
        if outcome is Outcome.INTERRUPTED:
            return self.ctx.step.on_interrupt is OnInterrupt.RESUME
        return outcome in _CUT_OFF


async def find_talk(said: str | SessionKeys, runner: Runner, ctx: StepContext) -> Talk:
    """What the try goes on with. Raises StepError where another runner holds that conversation."""
    kept = session_key(said, ctx.job.id, ctx.step.id)
    sessions = ctx.services.sessions
    if kept is not None and not can_continue(runner, ctx.config):
        raise StepError(
            f"the runner {runner.key!r} keeps no conversation to go on with",
            code="no_session",
            permanent=True,
            hint="take away `session:`, or name another `runner:`",
        )
    if sessions is None or not can_continue(runner, ctx.config):
        return Talk(runner, ctx, kept)
    left = await sessions.get(run_key(ctx.run.id, ctx.step.id))
    if left is not None and left.goes_on:
        _check_runner(left, runner, "the conversation that was cut off")
        ctx.say("goes on with the conversation that was cut off")
        return Talk(runner, ctx, kept, left, cut=True)
    known = None if kept is None else await sessions.get(kept)
    if known is None:
        return Talk(runner, ctx, kept)
    _check_runner(known, runner, f"the conversation `{kept}`")
    ctx.say(f"goes on with the conversation {kept}")
    # What a person allowed in an earlier run was for that run.
    before = AgentSession(run_key(ctx.run.id, ctx.step.id), known.runner, known.id, known.model, known.totals)
    return Talk(runner, ctx, kept, before)


def _check_runner(session: AgentSession, runner: Runner, words: str) -> None:
    if session.runner != runner.key:
        raise StepError(
            f"{words} was with the runner {session.runner!r}, and {runner.key!r} cannot go on with it",
            code="other_runner",
            permanent=True,
            hint=f"say `runner: {session.runner}`, or begin another with `session: {{name: NAME}}`",
        )

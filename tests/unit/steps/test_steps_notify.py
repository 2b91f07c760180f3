from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from rota.model.errors import StepError
from rota.model.job import Notify

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench


def test_a_message_is_put_into_the_outbox_as_the_job_has_it(bench: Bench) -> None:
    bench.settings(channels={"team": {"type": "slack"}})
    message = {"type": "team", "message": "{{ payload.x }}", "title": "Plan", "webhook": "${URL}"}
    result = bench.done({"notify": message}, values={"payload": {"x": "{{ 7*7 }}"}})
    assert bench.notifier.sent == [Notify("team", "{{ payload.x }}", "Plan", config={"webhook": "${URL}"})]
    assert result.values == {"queued": 1}
    assert bench.done({"notify": message}).values == {"queued": 0}


def test_a_text_goes_to_the_workspace_s_channels(bench: Bench) -> None:
    bench.settings(notify=(Notify("desktop"), Notify("slack", config={"webhook": "${URL}"})))
    assert bench.done({"notify": "Ready"}).values == {"queued": 2}
    assert [(sent.type, sent.message) for sent in bench.notifier.sent] == [
        ("desktop", "Ready"),
        ("slack", "Ready"),
    ]


def test_a_message_without_a_channel_says_what_to_do(bench: Bench) -> None:
    with pytest.raises(StepError, match="no channel"):
        bench.run({"notify": "Ready"})
    bench.settings(channels={"team": {}})
    with pytest.raises(StepError, match="no channel 'taem'") as caught:
        bench.run({"notify": {"type": "taem"}})
    assert caught.value.hint == "did you mean team?"
    for bad in ({}, {"message": "x"}, None, 5):
        with pytest.raises(ValidationError):
            bench.run({"notify": bad})

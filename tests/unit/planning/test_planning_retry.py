"""Which failures are tried again, how long the waits are, and which attempt a run is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.failures import PERMANENT, WORDS, Failure, is_known
from rota.model.job import Retry
from rota.model.run import RETRY, Run, RunState
from rota.planning.retry import LONGEST_ASKED, attempt_of, delay, in_words, is_wanted, key_of

SPREADS = st.floats(0, 1, exclude_max=True)
SECONDS = st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000)
RETRIES = st.builds(
    Retry,
    attempts=st.integers(1, 100),
    backoff=st.sampled_from(["exponential", "fixed"]),
    first=SECONDS,
    max=SECONDS,
)
FAILURES = st.builds(
    Failure,
    st.sampled_from([*({*WORDS} - {"exit", "http"}), "exit_nonzero", "http_status", "of_another_package"]),
    st.none() | st.integers(1, 255),
    st.none() | st.integers(100, 599),
)


@given(RETRIES, SPREADS)
def test_attempts_are_bounded(retry: Retry, spread: float) -> None:
    waits = [delay(retry, attempt, spread) for attempt in range(1, retry.attempts + 3)]
    assert [wait is not None for wait in waits] == [True] * (retry.attempts - 1) + [False] * 3


@given(RETRIES, SPREADS, SPREADS, st.integers(1, 98))
def test_waits_grow_up_to_the_cap_whatever_the_jitter(
    retry: Retry, spread: float, other: float, attempt: int
) -> None:
    before, after = delay(retry, attempt, spread), delay(retry, attempt + 1, other)
    if before is None or after is None:
        return
    assert max(before, after) <= retry.max
    capped = retry.first * 2.0**attempt >= retry.max
    if retry.backoff == "exponential" and not capped:
        assert after >= before
    if retry.backoff == "fixed":
        assert after == delay(retry, 1, other)


@given(RETRIES, SPREADS, st.integers(1, 99))
def test_jitter_takes_half_of_a_wait_at_most(retry: Retry, spread: float, attempt: int) -> None:
    wait, least = delay(retry, attempt, spread), delay(retry, attempt, 0.0)
    if wait is None or least is None:
        return
    assert least <= wait <= least * 2


@given(RETRIES, SPREADS, st.integers(1, 99), st.floats(0, allow_nan=False))
def test_what_a_server_asks_for_is_the_least_up_to_a_week(
    retry: Retry, spread: float, attempt: int, asked: float
) -> None:
    own, wait = delay(retry, attempt, spread), delay(retry, attempt, spread, asked)
    if own is None or wait is None:
        assert own is wait is None
        return
    assert wait == max(own, min(asked, LONGEST_ASKED))


@pytest.mark.parametrize(
    ("word", "failure"),
    [
        ("any", Failure("whatever")),
        ("timeout", Failure("timeout")),
        ("exit", Failure("exit_nonzero", 3)),
        ("exit_nonzero", Failure("exit_nonzero", 3)),
        ("3", Failure("exit_nonzero", 3)),
        ("http", Failure("http_status", status=503)),
        ("503", Failure("http_status", status=503)),
        ("5xx", Failure("http_status", status=599)),
        ("mine", Failure("mine")),
    ],
)
def test_a_word_names_its_failures_and_no_other(word: str, failure: Failure) -> None:
    other = Failure("unverified")
    assert is_wanted(Retry(2, on=(word,)), failure)
    assert not is_wanted(Retry(2, not_on=(word,)), failure)
    assert is_wanted(Retry(2, on=(word,)), other) == (word == "any")


@given(FAILURES)
def test_not_on_goes_before_on_and_nothing_said_is_anything_but_what_was_decided(failure: Failure) -> None:
    assert not is_wanted(Retry(2, on=("any",), not_on=("any",)), failure)
    assert is_wanted(Retry(2), failure) == (failure.code != "interrupted")
    assert is_wanted(Retry(2, on=(failure.code,)), failure)


def test_statuses_that_blame_the_request_are_permanent_but_for_those_that_pass() -> None:
    passing = [status for status in range(400, 600) if not Failure("http_status", status=status).permanent]
    assert passing == [408, 425, 429, *range(500, 600)]


def test_no_word_names_what_is_never_tried_again() -> None:
    assert not PERMANENT & {*WORDS, "exit_nonzero", "http_status"}
    assert all(Failure(code).permanent for code in PERMANENT)
    assert all(is_known(word) for word in [*WORDS, "any", "7", "5xx", "http_status"])
    assert not any(is_known(word) for word in ["6xx", "timeouts", "bad_template"])


@given(st.integers(2, 100))
def test_the_key_says_which_attempt_a_run_is(attempt: int) -> None:
    key = key_of("260101-080000-x7k2q9wd", attempt)
    run = Run("another", "j", RunState.QUEUED, "h", 0, trigger_id=RETRY, occurrence_key=key)
    assert attempt_of(run) == ("260101-080000-x7k2q9wd", attempt)
    assert attempt_of(Run("first", "j", RunState.QUEUED, "h", 0, occurrence_key=key)) == ("first", 1)


def test_a_retry_in_words() -> None:
    assert in_words(Retry(3)) == "3 attempts, 10 s apart at first"
    retry = Retry(2, "fixed", 60, 60, on=("timeout", "5xx"), not_on=("503",))
    assert in_words(retry) == "2 attempts, 60 s apart; on timeout, 5xx; not on 503"

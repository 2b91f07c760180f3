"""Places for calls: more of them under pressure, and no fewer than the first few."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.support.spawning import until

from rota.engine.places import Places


def story(tell: Callable[[Places], Coroutine[Any, Any, None]], *, size: int = 2, most: int = 5) -> None:
    async def all_of_it() -> None:
        async with asyncio.timeout(30):
            await tell(Places(size, lambda: most))

    asyncio.run(all_of_it())


class Calls:
    """Calls that keep their place until they are let go."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.began: list[int] = []
        self.let_go = asyncio.Event()

    async def call(self, number: int) -> None:
        async with self._places.one() as place:
            place.at_work()
            self.began.append(number)
            await self.let_go.wait()

    def start(self, count: int) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.call(number)) for number in range(count)]


def test_long_calls_do_not_hold_up_the_others_up_to_the_limit() -> None:
    async def tell(places: Places) -> None:
        calls = Calls(places)
        tasks = calls.start(7)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert calls.began == [0, 1]
        await until(lambda: len(calls.began) == 5)
        await asyncio.sleep(0.3)
        assert calls.began == [0, 1, 2, 3, 4], "five places, first come, first served"
        calls.let_go.set()
        await asyncio.gather(*tasks)
        assert sorted(calls.began) == list(range(7))
        assert places.taken == 0

    story(tell)


def test_short_calls_need_no_more_places() -> None:
    most: list[int] = []

    async def tell(places: Places) -> None:
        async def short() -> None:
            async with places.one() as place:
                place.at_work()
                most.append(places.taken)
                await asyncio.sleep(0)

        await asyncio.gather(*(short() for _ in range(200)))

    story(tell)
    assert max(most) == 2


def test_whoever_gives_up_takes_no_place_along() -> None:
    async def tell(places: Places) -> None:
        calls = Calls(places)
        first = calls.start(2)
        await until(lambda: len(calls.began) == 2)
        waiting = calls.start(3)
        await asyncio.sleep(0)
        waiting[0].cancel()  # in the line
        first[0].cancel()  # its place goes to the next, who is told to end in the same moment
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.wait([*waiting[:2], first[0]])
        await until(lambda: len(calls.began) >= 3)
        calls.let_go.set()
        await asyncio.gather(first[1], waiting[2])
        assert places.taken == 0

    story(tell, most=2)


def test_a_place_that_becomes_free_while_somebody_gives_up_goes_to_the_next_alone() -> None:
    async def tell(places: Places) -> None:
        calls = Calls(places)

        async def brief() -> None:
            async with places.one():
                await asyncio.sleep(0.01)  # they are in the line by now
                waiting[0].cancel()  # whose turn it is now

        waiting: list[asyncio.Task[None]] = []
        first = asyncio.create_task(brief())
        waiting += calls.start(3)
        await asyncio.wait([first, waiting[0]])
        await asyncio.sleep(0.05)
        assert (calls.began, places.taken) == ([1], 1), "one place, and one who has it"
        calls.let_go.set()
        await asyncio.gather(*waiting[1:])
        assert places.taken == 0

    story(tell, size=1, most=1)


def test_there_are_never_fewer_than_the_first_few() -> None:
    async def tell(places: Places) -> None:
        calls = Calls(places)
        tasks = calls.start(3)
        await until(lambda: len(calls.began) == 2)
        calls.let_go.set()
        await asyncio.gather(*tasks)

    story(tell, size=2, most=1)

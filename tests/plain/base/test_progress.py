"""Running a job to its end: what is told, and what an interrupt does."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest

from meshkin.base.errors import Cancelled
from meshkin.base.progress import (
    STAGE_SHARE,
    JobProgress,
    Progress,
    finish,
    in_step,
    of_job,
    position,
    rounded_seconds,
)


def test_finish_closes_the_job_when_the_listener_fails() -> None:
    closed = []

    def job() -> Generator[Progress, None, int]:
        try:
            yield Progress("One", 0.0)
            yield Progress("Two", 0.5)
        finally:
            closed.append(True)
        return 7

    def listener(progress: Progress) -> None:
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError):
        finish(job(), listener)
    assert closed == [True]
    assert finish(job()) == 7


def test_finish_tells_each_progress_once() -> None:
    def job() -> Generator[Progress, None, None]:
        for stage in "aaabba":
            yield Progress(stage, 0.0)

    told: list[str] = []
    finish(job(), lambda progress: told.append(progress.stage))
    assert told == ["a", "b", "a"]


def test_finish_turns_an_interrupt_into_a_cancel() -> None:
    def job() -> Generator[Progress, None, None]:
        yield Progress("One", 0.0)
        raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        finish(job())


class Clock:
    """Time that a test sets, seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def told_of(job: Generator[Progress, None, None], costs: dict[str, float], clock: Clock) -> list[JobProgress]:
    told: list[JobProgress] = []
    finish(of_job(job, costs, clock), lambda progress: told.append(progress))  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("seed", range(20))
def test_the_bar_of_a_job_never_goes_back_nor_ends_early(seed: int) -> None:
    """Whatever its steps do: stages that begin anew, take turns or go back, steps that are skipped or not foreseen."""
    random = np.random.default_rng(seed)
    costs = {f"step {number}": float(random.uniform(0.1, 100)) for number in range(int(random.integers(1, 8)))}
    skipped = set(random.choice(list(costs), size=len(costs) // 3, replace=False))

    def part() -> Generator[Progress, None, None]:
        for _ in range(int(random.integers(1, 30))):
            clock.now += float(random.exponential(3))
            yield Progress(f"stage {random.integers(4)}", float(random.uniform(-0.1, 1.1)))

    def job() -> Generator[Progress, None, None]:
        yield from part()
        for step in costs:
            if step not in skipped:
                yield from in_step(step, part())
            yield from in_step("not foreseen", part())

    clock = Clock()
    told = told_of(job(), costs, clock)
    fractions, numbers = [one.fraction for one in told], [one.number for one in told]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] < 1
    assert numbers == sorted(numbers)
    assert {one.count for one in told} == {len(costs)}
    done = {number for number, step in enumerate(costs, 1) if step not in skipped}
    assert done <= set(numbers) <= done | {1}
    assert all(one.seconds_left is None or one.seconds_left >= 10 for one in told)


def test_steps_are_as_wide_as_they_are_dear_and_skipped_ones_leave_room() -> None:
    def job(*steps: str) -> Generator[Progress, None, None]:
        for step in steps:
            yield Progress("Waiting", 0, step)
            for index in range(11):
                yield Progress("Working", index / 10, step)

    costs = {"short": 10.0, "long": 30.0}
    told = told_of(job("short", "long"), costs, Clock())
    first = max(one.fraction for one in told if one.number == 1)
    assert first == pytest.approx(0.25 * STAGE_SHARE)
    assert told[-1].fraction == pytest.approx(first + (1 - first) * STAGE_SHARE)
    assert told_of(job("long"), costs, Clock())[-1].fraction == pytest.approx(STAGE_SHARE)


def test_the_time_left_becomes_what_it_is_whatever_the_costs_say() -> None:
    """A machine ten times slower than the costs: after the first step the rest is known to within a fifth."""
    clock, costs = Clock(), {"one": 10.0, "two": 20.0, "three": 10.0}

    def job() -> Generator[Progress, None, None]:
        for step, cost in costs.items():
            for index in range(101):
                yield Progress("Working", index / 100, step)
                clock.now += cost / 10

    told = told_of(job(), costs, clock)
    begin = next(one for one in told if one.number == 2)
    assert begin.seconds_left == pytest.approx(300, rel=0.5)
    assert told[0].seconds_left is None
    assert told[-1].seconds_left is not None
    assert told[-1].seconds_left < 120
    assert position(begin).startswith("Step 2 of 3, about ")
    assert [rounded_seconds(one) for one in (3, 114, 200, 1000)] == [10, 110, 180, 900]
    long = JobProgress("Working", 0.5, number=1, count=1, seconds_left=180)
    assert position(long) == "about 3 min left"
    assert position(long, lambda text: f"[{text}]") == "[about 3 min left]"


def test_nothing_is_told_about_a_job_that_is_not_known() -> None:
    """Its bar moves all the same; what it runs as a whole job keeps its own steps."""
    clock = Clock()

    def job() -> Generator[Progress, None, None]:
        for index in range(10):
            clock.now += 10
            yield Progress("Working", index / 10)
        yield from of_job(part(), {"one": 1.0, "two": 1.0}, clock)

    def part() -> Generator[Progress, None, None]:
        yield Progress("Beginning", 0, "one")
        yield Progress("Ending", 1, "two")

    told = told_of(job(), {}, clock)
    assert {one.seconds_left for one in told[:10]} == {None}
    assert [one.fraction for one in told] == sorted(one.fraction for one in told)
    assert told[9].fraction > 0.3
    assert (told[-1].number, told[-1].count) == (2, 2)


def test_closing_a_job_closes_its_steps() -> None:
    closed = []

    def part() -> Generator[Progress, None, None]:
        try:
            yield Progress("One", 0.0)
        finally:
            closed.append(True)

    job = of_job(in_step("one", part()), {"one": 1.0})
    next(job)
    job.close()
    assert closed == [True]

"""Two ways of doing the same, timed in turns in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Times = dict[str, list[tuple[float, float]]]


def take_turns(
    ways: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int = 2,
    a_turn: Mapping[str, int] | None = None,
) -> Times:
    """Run each way in turn, so that a busy moment of the machine meets all.

    Args:
        ways: name → what to run.
        repeats: timed turns.
        warm_up: turns before them that are not counted.
        a_turn: runs of a way in each turn (default 1).

    Returns:
        Name → (seconds of the clock, seconds of the processor) of every counted run.
    """
    times: Times = {way: [] for way in ways}
    for turn in range(repeats + warm_up):
        for way, run in ways.items():
            for _ in range((a_turn or {}).get(way, 1)):
                clock, processor = time.perf_counter(), time.process_time()
                run()
                taken = time.perf_counter() - clock, time.process_time() - processor
                if turn >= warm_up:
                    times[way].append(taken)
    return times


def report(times: Times) -> None:
    """Print medians and the ratio of the first way to the second."""
    for kind, name in enumerate(("clock", "processor")):
        medians = {way: statistics.median(t[kind] for t in taken) for way, taken in times.items()}
        first, second = medians.values()
        shown = ", ".join(f"{way} {value:.3f} s" for way, value in medians.items())
        print(f"{name:9} median {shown}, ratio {first / second:.1f}")

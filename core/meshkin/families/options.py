"""Options of learning a family."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import Choice, option

NETWORK_CHOICES = (
    Choice("small", "Small", "Learns in minutes on a processor"),
    Choice("published", "Published", "The size of the published method, twenty times as large: for a graphics card"),
)


@dataclass(frozen=True)
class FamilyOptions:
    """How a family is learned."""

    steps: int = option(
        1500, "Steps", "Steps of the learning; more take longer and fit the shapes more closely",
        flat="family_steps", flag="--steps", least=10, most=100_000, soft_most=10_000,
    )  # fmt: skip
    network: str = option(
        "small", "Network", "Size of what is learned", choices=NETWORK_CHOICES, flat="family_network", flag="--network",
    )  # fmt: skip
    replace: bool = option(
        False, "Replace", "Learn anew, in place of a family of this name", flat="family_replace", flag="--replace",
    )  # fmt: skip

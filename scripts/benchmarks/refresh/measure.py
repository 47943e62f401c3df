"""All that ``bench refresh`` finds out, and how much of it a quick run does."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from scripts.benchmarks.refresh import claims, speed, survival
from scripts.benchmarks.refresh.claims import Claims
from scripts.benchmarks.refresh.speed import Speed
from scripts.benchmarks.refresh.survival import CASES, Effort, Survival
from scripts.benchmarks.refresh.world import running_world


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    refreshes: int
    grants: int
    batches: int
    survival: Effort


WHOLE: Final = Extent(
    refreshes=500,
    grants=1_000_000,
    batches=200,
    survival=Effort(people=150, workers=12, seconds=600.0, speed=10.0),
)
QUICK: Final = Extent(
    refreshes=20,
    grants=2_000,
    batches=3,
    survival=Effort(people=12, workers=3, seconds=80.0, speed=20.0, crash_share=0.1),
)


@dataclass(frozen=True, kw_only=True)
class RefreshReport:
    """Everything that was found out."""

    speed: Speed
    claims: Claims
    effort: Effort
    survival: list[Survival]

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"refresh": asdict(self)}


def measure(extent: Extent) -> RefreshReport:
    """Measure all of it, one thing after the other."""
    with running_world() as world:
        return RefreshReport(
            speed=speed.measure(world, refreshes=extent.refreshes),
            claims=claims.measure(world, grants_in_all=extent.grants, batches=extent.batches),
            effort=extent.survival,
            survival=[survival.measure(world, case, extent.survival) for case in CASES],
        )

"""One line of the table: what was measured, against what, and whether the requirement is met."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        part: of the benchmark it belongs to, such as "first audio".
        what: was measured, such as "235 characters".
        unit: of `ours` and `reference`: "s", "ms", "MiB", or "RTF" for time spent per time of audio.
        ours, reference: medians; no reference where there is nothing to compare with.
        required: the requirement in words; empty where there is none.
        is_met: whether it is met; None where there is none.
        samples: everything that was measured, by contender, in `unit`.
    """

    part: str
    what: str
    unit: str
    ours: float
    reference: float | None = None
    required: str = ""
    is_met: bool | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Ours by the reference's."""
        return None if self.reference is None else self.ours / self.reference

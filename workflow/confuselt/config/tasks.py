"""`tasks`: what is predicted. Endpoints and labels are columns of the clinical table; nothing in code names one."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from confuselt.config.block import TASK_NAME, Block
from confuselt.sheets.words import said


def _no_blanks(values: list, key: str) -> list:
    """The values, none of which may be a word that stands for a missing value in every table."""
    if blank := [v for v in values if said(str(v)) is None]:
        raise ValueError(f"{key}: {str(blank[0])!r} is read as missing in every table; write another word in the table")
    return values


class Survival(Block):
    """A right-censored endpoint."""

    name: str = Field(description="word used in every result, e.g. os", pattern=TASK_NAME)
    time: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description=(
            "column with the time, or columns of which the first that says something counts, as GDC's clinical tables "
            "need: [days_to_death, days_to_last_follow_up]; default <name>_days"
        ),
    )
    event: str | None = Field(
        None, description="column with the event: 1 or true, else 0 or false; default <name>_event"
    )
    event_is: list[bool | int | float | str] | None = Field(
        None,
        min_length=1,
        description=(
            "values of that column that are events, such as [Dead, 2], where it holds anything else; "
            "all others are censored"
        ),
    )
    unit: Literal["days", "weeks", "months", "years"] = Field("days", description="unit of the time column")
    factor: float = Field(1.0, gt=0, description="times are multiplied by this before the unit is converted")
    competing: str | None = Field(
        None,
        description=(
            "another endpoint whose event, without one here, ends the time at risk: "
            "dss competes with os (death of another cause)"
        ),
    )
    horizons: list[int] = Field(
        [1095, 1825], min_length=1, description="days at which survival is predicted and scored"
    )

    @field_validator("event_is")
    @classmethod
    def _says_something(cls, values: list | None) -> list | None:
        return values and _no_blanks(values, "event_is")

    @property
    def time_columns(self) -> list[str]:
        """Columns with the time; the first that says something counts."""
        return [self.time] if isinstance(self.time, str) else self.time or [f"{self.name}_days"]

    @property
    def event_column(self) -> str:
        """Column with the event."""
        return self.event or f"{self.name}_event"


class Label(Block):
    """A class label."""

    name: str = Field(description="word used in every result, e.g. pam50", pattern=TASK_NAME)
    column: str | None = Field(None, description="column with the class; default <name>")
    classes: list[str] = Field(
        min_length=2, description="classes that are predicted; any other value counts as missing and is reported"
    )
    aliases: dict[str, str | None] = Field(
        {}, description="other spellings of a class; null: patients with this value are left out on purpose"
    )
    from_rna: bool = Field(
        False,
        description=(
            "the class is defined on RNA (PAM50): the report then calls arms that see RNA a ceiling, never evidence; "
            "the control without-pam50 is run for a label named pam50"
        ),
    )

    @field_validator("classes")
    @classmethod
    def _says_something(cls, values: list[str]) -> list[str]:
        return _no_blanks(values, "classes")

    @field_validator("aliases")
    @classmethod
    def _can_be_read(cls, aliases: dict[str, str | None]) -> dict[str, str | None]:
        _no_blanks(list(aliases), "aliases")
        return aliases

    @property
    def label_column(self) -> str:
        """Column with the class."""
        return self.column or self.name


class Tasks(Block):
    """Everything that is predicted."""

    survival: list[Survival] = Field(
        [Survival(name="os"), Survival(name="dss", competing="os"), Survival(name="dfi"), Survival(name="pfi")],
        description="right-censored endpoints",
    )
    labels: list[Label] = Field(
        [
            Label(
                name="pam50",
                classes=["Basal", "Her2", "LumA", "LumB", "Normal"],
                aliases={
                    "Basal-like": "Basal",
                    "HER2": "Her2",
                    "Her2-enriched": "Her2",
                    "Luminal A": "LumA",
                    "Luminal B": "LumB",
                    "Normal-like": "Normal",
                },
                from_rna=True,
            )
        ],
        description="class labels",
    )

    @model_validator(mode="after")
    def _distinct(self) -> "Tasks":
        names = [t.name for t in (*self.survival, *self.labels)]
        if len(set(names)) < len(names):
            raise ValueError(f"two tasks share a name: {sorted(names)}")
        if not names:
            raise ValueError("tasks.survival and tasks.labels are both empty: name at least one endpoint or label")
        for endpoint in self.survival:
            others = [t.name for t in self.survival if t is not endpoint]
            if endpoint.competing is not None and endpoint.competing not in others:
                raise ValueError(
                    f"tasks.survival {endpoint.name}: competing '{endpoint.competing}' is no other endpoint; "
                    f"others: {others}"
                )
        return self

"""The numbers of a table's column, by group, exact, with every row that is not among them."""

from dataclasses import dataclass, field
from decimal import Decimal

from autoagent.models.offline.columns import Calculate, Columns, Function
from autoagent.models.offline.numbers import average, places_of, total, with_places
from autoagent.models.offline.tables import Column, Row, Table


@dataclass
class Group:
    key: str
    numbers: list[Decimal] = field(default_factory=list[Decimal])
    rows: int = 0

    def value(self, function: Function) -> Decimal | None:
        """None where the group has no number."""
        if function == "count":
            return Decimal(self.rows)
        if not self.numbers:
            return None
        match function:
            case "total":
                return total(self.numbers)
            case "average":
                return average(self.numbers)
            case "minimum":
                return min(self.numbers)
            case "maximum":
                return max(self.numbers)


@dataclass(frozen=True)
class Calculation:
    """The groups in their order. Without a label a ranking has a group for each row, its key the row's line.

    `places` are the decimals of the measure: its values have as many in every group.
    """

    table: Table
    functions: tuple[Function, ...]
    measure: Column | None
    label: Column | None
    groups: tuple[Group, ...]
    whole: Group
    empty: tuple[Row, ...]
    no_number: tuple[Row, ...]
    top: int
    places: int

    @property
    def ranked(self) -> bool:
        return self.top != 0

    def value(self, group: Group, function: Function) -> Decimal | None:
        """To be shown: an average is rounded, half up, to two places more than the numbers have."""
        value = group.value(function)
        if value is None or function == "count":
            return value
        return with_places(value, self.places + 2 if function == "average" else self.places)


def calculate(asked: Calculate, table: Table, columns: Columns) -> Calculation:
    measure, label = columns.measure, columns.label
    groups: dict[str, Group] = {}
    whole = Group("")
    empty: list[Row] = []
    no_number: list[Row] = []
    any_cell = measure is not None and not measure.numeric  # only ever counted
    for at, row in enumerate(table.rows):
        one = measure.amounts[at] if measure else None
        if measure and not row.cell(measure.index):
            empty.append(row)
        elif measure and one is None and not any_cell:
            no_number.append(row)
        key = row.cell(label.index) if label else str(row.line) if asked.top else ""
        group = groups.setdefault(key, Group(key))
        if measure and (not row.cell(measure.index) or (one is None and not any_cell)):
            continue
        for counted in (group, whole):
            counted.rows += 1
            counted.numbers += [one.value] if one else []
    found = _ranked(list(groups.values()), asked) if asked.top else list(groups.values())
    return Calculation(
        table=table,
        functions=asked.functions,
        measure=measure,
        label=label,
        groups=tuple(found),
        whole=whole,
        empty=tuple(empty),
        no_number=tuple(no_number),
        top=asked.top,
        places=places_of(whole.numbers),
    )


def _ranked(groups: list[Group], asked: Calculate) -> list[Group]:
    """The first of the groups by the first function; equal ones keep the order of the file."""
    valued = [(group.value(asked.functions[0]), group) for group in groups if group.rows]
    known = [(value, group) for value, group in valued if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=asked.top > 0)
    return [group for _, group in known[: abs(asked.top)]]

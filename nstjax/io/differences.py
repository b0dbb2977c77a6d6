"""Describes the settings that differ between two runs."""

import json
from collections.abc import Collection, Mapping
from typing import Any

_ABSENT = object()
# Entries that earlier versions lacked, and what they did.
_IMPLIED = {"feature_scale": 1.0, "rounding": ""}
# Longer values are shortened in messages.
_LONGEST = 40


def describe_differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, ignored: Collection[str] = ()
) -> str:
    """Lists the differences with both values, such as "steps (10 before, 20 now)".

    A weight that one of them lacks counts as 0, since newer losses had none, and other
    entries that earlier versions lacked as what those versions did.

    Args:
        before, now: JSON data by name; mappings are compared entry by entry.
        ignored: names that may differ.

    Returns:
        The differences, separated by commas, or "".
    """
    old, new = _leaves(before), _leaves(now)
    for name in old.keys() & new.keys():
        _part_lists(name, old, new)
    return ", ".join(
        f"{name} ({_show(old, name)} before, {_show(new, name)} now)"
        for name in sorted(old.keys() | new.keys())
        if name not in ignored and _value(old, name) != _value(new, name)
    )


def as_json(data: Any) -> Any:
    """Data as they would be read from a JSON file: tuples become lists.

    Types that JSON lacks, such as paths, become text.
    """
    return json.loads(json.dumps(data, default=str))


def _leaves(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            found |= _leaves(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _part_lists(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Replaces long lists by their items, since shortened lists would look alike."""
    items = old[name], new[name]
    if all(isinstance(x, list) and len(str(x)) > _LONGEST for x in items):
        if len(items[0]) == len(items[1]):
            for data in (old, new):
                values = data.pop(name)
                data |= {f"{name}[{n}]": value for n, value in enumerate(values)}


def _value(data: Mapping[str, Any], name: str) -> Any:
    entry = name.rpartition(".")[2]
    implied = 0.0 if entry.endswith("_weight") else _IMPLIED.get(entry, _ABSENT)
    return data.get(name, implied)


def _show(data: Mapping[str, Any], name: str) -> str:
    if name not in data:
        return "absent"
    text = str(data[name]) if data[name] != "" else "empty"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

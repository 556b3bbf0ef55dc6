"""Values of the shapes of Rekognition's service model, read with botocore's own classes and not the package's."""

from __future__ import annotations

import datetime
import re
from typing import Any

import botocore.loaders
import botocore.model
from hypothesis import strategies as st

MODEL = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("rekognition", "service-2"))
_EXAMPLES = {
    "TagKey": st.text("aé 9_.:/=+-@", min_size=1, max_size=20),
    "TagValue": st.text("aé 9_.:/=+-@", max_size=20),
}


def values(shape: botocore.model.Shape) -> st.SearchStrategy[Any]:
    """Values that the shape allows: bytes for blobs, datetimes for timestamps."""
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            required = {name: values(shape.members[name]) for name in shape.required_members}
            optional = {name: values(member) for name, member in shape.members.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "list":
            return st.lists(values(shape.member), min_size=limits.get("min", 0), max_size=min(limits.get("max", 3), 3))
        case "map":
            return st.dictionaries(values(shape.key), values(shape.value), max_size=3)
        case "string":
            return _strings(shape)
        case "blob":
            return st.binary(min_size=limits.get("min", 0), max_size=40)
        case "boolean":
            return st.booleans()
        case "timestamp":
            return st.datetimes(
                datetime.datetime(1971, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)
            )
        case "float" | "double":
            return st.floats(limits.get("min", -1e6), limits.get("max", 1e6), width=32)
        case _:
            return st.integers(limits.get("min", 0), limits.get("max", 1000))


def _strings(shape: botocore.model.Shape) -> st.SearchStrategy[str]:
    limits = shape.metadata
    if shape.enum:
        return st.sampled_from(shape.enum)
    if shape.name in _EXAMPLES:
        return _EXAMPLES[shape.name]
    low, high = limits.get("min", 0), min(limits.get("max", 60), 60)
    if "pattern" in limits:
        drawn = st.from_regex(re.compile(limits["pattern"], re.ASCII), fullmatch=True)
        return drawn.filter(lambda text: low <= len(text) <= limits.get("max", 4000) and text.isprintable())
    return st.text("abc é.", min_size=low, max_size=max(low, high))


def problems(shape: botocore.model.Shape, value: Any, where: str = "") -> list[str]:
    """What a parsed reply has that the shape does not allow: empty where it fits."""
    limits, found = shape.metadata, []
    match shape.type_name:
        case "structure":
            unknown = set(value) - set(shape.members) - {"ResponseMetadata"}
            found = [f"{where}.{name} is not a member" for name in unknown]
            found += [f"{where}.{name} is missing" for name in shape.required_members if name not in value]
            for name, member in shape.members.items():
                if name in value:
                    found += problems(member, value[name], f"{where}.{name}")
            return found
        case "list" | "map":
            entries = [(shape.member, entry) for entry in value] if shape.type_name == "list" else []
            if shape.type_name == "map":
                entries = [pair for key, entry in value.items() for pair in ((shape.key, key), (shape.value, entry))]
            for number, (kind, entry) in enumerate(entries):
                found += problems(kind, entry, f"{where}[{number}]")
            # Rekognition itself answers an empty DeletedFaces, although the model says that there is one at least.
            size: Any = max(len(value), limits.get("min", 0))
        case "string":
            size = len(value) if isinstance(value, str) else -1
            if shape.enum and value not in shape.enum:
                found.append(f"{where} is {value!r}")
            if "pattern" in limits and "\\p" not in limits["pattern"] and not re.fullmatch(limits["pattern"], value):
                found.append(f"{where} is {value!r}, not of the pattern {limits['pattern']}")
        case "blob":
            size = len(value)
        case "boolean":
            return [] if isinstance(value, bool) else [f"{where} is {value!r}"]
        case "timestamp":
            return [] if isinstance(value, datetime.datetime) else [f"{where} is {value!r}"]
        case "integer" | "long":
            size = value if isinstance(value, int) and not isinstance(value, bool) else None
        case _:
            size = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if size is None or size < limits.get("min", size) or size > limits.get("max", size):
        found.append(f"{where} is {value!r}, outside of {limits}")
    return found

"""Traces: what a program did in a scenario, as data that people can read."""

import difflib
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "traces"


def one_line(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def tick_lines(tick: dict) -> list[str]:
    """One fact a line, and one call a line."""
    lines = []
    for name, value in tick.items():
        if name == "calls" and value:
            calls = ",\n".join(f"     {one_line(call)}" for call in value)
            lines.append(f'"calls": [\n{calls}\n   ]')
        else:
            lines.append(f"{one_line(name)}: {one_line(value)}")
    return lines


def ticks_text(ticks: list[dict]) -> str:
    blocks = ["  {" + ",\n   ".join(tick_lines(tick)) + "}" for tick in ticks]
    return "[\n" + ",\n".join(blocks) + "\n ]"


def to_text(trace: dict) -> str:
    """JSON, and the same text for the same trace."""
    lines = []
    for name, value in trace.items():
        text = (ticks_text(value) if isinstance(value, list)
                else one_line(value))
        lines.append(f" {one_line(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def load(name: str) -> dict:
    return json.loads(path_of(name).read_text(encoding="utf-8"))


def differences(expected: list[dict], actual: list[dict]) -> str:
    """Empty when both are the same, else a diff of the two."""
    if expected == actual:
        return ""
    return "\n".join(difflib.unified_diff(
        ticks_text(expected).splitlines(), ticks_text(actual).splitlines(),
        "expected", "actual", lineterm="", n=2)) or "they differ"

"""What a reader hands to a view, looked at before anything is drawn: a slip is told in words."""

from __future__ import annotations

from typing import Any

from khosim.errors import UsageError
from khosim.state.snapshot import Snapshot

__all__ = ["a_moment", "a_recording"]


def a_recording(view: str, given: Any) -> None:
    """Raise `UsageError` for what is no recording."""
    if not hasattr(given, "moments"):
        raise UsageError(f"{view} shows a recording, `with m.record() as trace: ...`, not {_kind(given)}")


def a_moment(view: str, given: Any) -> None:
    """Raise `UsageError` for what is no snapshot."""
    if not isinstance(given, Snapshot):
        raise UsageError(f"{view} shows one moment, `trace.seek(t)` or `m.snapshot()`, not {_kind(given)}")


def _kind(given: Any) -> str:
    name = type(given).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"

"""What can go wrong with a simulated unit, switched while it runs."""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """A misbehaviour seen on real chargers. A simulator has ``faults: set[Fault]`` and looks at it on each exchange."""

    SILENT = "silent"
    """It takes what is sent and never answers."""
    SLOW = "slow"
    """It answers late, but within the deadlines."""
    REFUSES = "refuses"
    """It answers every write with its own refusal."""
    REVERTS = "reverts"
    """It takes a write, shows it, and has the old value again after the next restart."""
    TRUNCATES = "truncates"
    """It accepts a text and keeps only its beginning."""
    DROPS_MID_WRITE = "drops mid-write"
    """It closes the connection while a write is being answered; the value may or may not be stored."""
    LIES_CONNECTED = "lies connected"
    """It says it is connected to its backend although it is not."""

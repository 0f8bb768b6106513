"""What stands in for an answer of the networks that does not come."""

from __future__ import annotations


class LookLost(Exception):
    """No network could answer for this picture. Nothing of it was taken in, and the next picture may be looked at."""

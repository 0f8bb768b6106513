"""How figures and names are said to a person, and to a person's programs."""

from __future__ import annotations

MOST = 0.99


def stated(probability: float) -> float:
    """A probability as it is said: nothing that is read off pictures is certain."""
    return min(probability, MOST)


def sentence(words: object) -> str:
    """What an error says, as a sentence of its own."""
    text = str(words)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def harmless(cell: str) -> str:
    """A cell of a table in which nothing can be taken for a formula, as table programs take what begins like one."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell

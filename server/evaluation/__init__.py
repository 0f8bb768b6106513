"""Measures how well faces are told apart and read on labelled pictures, and writes it down.

Nothing here knows of the command line or of HTTP: ``visavis evaluate`` and the page are two doors to the same
evaluations, each of which returns a :class:`server.evaluation.report.Report`.
"""

from server.evaluation.report import Axis, Column, Plot, Report, Series, Table

__all__ = ["Axis", "Column", "Plot", "Report", "Series", "Table"]

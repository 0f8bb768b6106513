"""Faces over time, on plain arrays. No I/O, no clock: time is an argument, in seconds of media time."""

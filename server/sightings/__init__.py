"""Sightings: who was seen in which session from when to when, and who is told of it."""

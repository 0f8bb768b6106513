"""Rooms: cameras that stand together, who may come in, and who is before any of them."""

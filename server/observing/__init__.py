"""How the server does, for people and for other programs: health, metrics, traces, the status page, and a graceful end.

What is counted on a frame's way is counted on the event loop, where it is read as well: nothing is locked. No name, id,
room or address is in any of it."""

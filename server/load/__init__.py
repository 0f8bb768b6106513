"""How much this server can do, and how it is shared: docs/load.md."""

"""Pictures over a WebSocket, for networks that let no UDP through."""

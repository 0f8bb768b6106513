"""The server process: command line, settings, HTTP, signalling, live sessions, storage."""

__version__ = "0.1.0"

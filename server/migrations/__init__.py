"""Alembic's environment: how the schema of server/storage.py came to be, step by step."""

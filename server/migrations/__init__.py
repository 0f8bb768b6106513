"""Alembic's environment: how the schema of server/storage/schema.py came to be, step by step."""

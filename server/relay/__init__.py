"""A camera's video for others to watch: encoded pictures handed on as they came."""

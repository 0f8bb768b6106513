"""One frame in, recognised faces out."""

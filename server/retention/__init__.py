"""What is held today, for how long, and which setting says so: of every table and every file, so that none is
forgotten."""

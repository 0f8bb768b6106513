"""Photos: every face of one named at once, and nothing kept."""

"""Albums: photos of people without names, grouped, and each group named once."""

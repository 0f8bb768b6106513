"""Several servers alike on one database: who they are, what they tell each other, and who does what."""

"""Who may come in: accounts and how they sign in, links, what each role may do, and the door that asks."""

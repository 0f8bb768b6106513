"""Videos that were dropped: jobs in processes of their own, what they find, and whose faces those are."""

"""Who is known: the galleries kept in step with the store, and every way into them, through them and out of them."""

from server.people.people import People, PeopleOptions

__all__ = ["People", "PeopleOptions"]

"""Who is known: the galleries kept in step with the store, and every way into them, through them and out of them."""

from server.people.options import PeopleOptions
from server.people.people import People

__all__ = ["People", "PeopleOptions"]

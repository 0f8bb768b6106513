"""``visavis doctor``: what stands in the way of a camera, a phone or the next start, each with its cure.

Every group of checks is a function from a :class:`Patient` to findings. It changes nothing, needs no server and gets on
beside one, and :mod:`server.doctor.examining` gives it so many seconds and no more.
"""

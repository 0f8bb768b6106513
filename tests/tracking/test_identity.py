"""Names hold against single bad looks, and are taken back when they were wrong."""

from tracking.identity import DEFAULT_IDENTITY, Identity, IdentityState, Opinion, Verdict


def says(verdict, person="ada", strong=False):
    return Opinion(verdict, person, 0.9, 0.95, 0.02, strong)


def test_a_name_takes_two_votes_or_a_strong_one():
    identity = Identity()
    identity.consider(says(Verdict.KNOWN), votes=1)
    assert identity.state is IdentityState.PENDING
    identity.consider(says(Verdict.KNOWN), votes=2)
    assert identity.state is IdentityState.KNOWN
    at_once = Identity()
    at_once.consider(says(Verdict.KNOWN, strong=True), votes=1)
    assert at_once.state is IdentityState.KNOWN


def test_a_name_outlives_a_weak_moment_of_the_same_face():
    identity = Identity()
    identity.consider(says(Verdict.KNOWN, strong=True), 1)
    for votes in range(2, 9):
        identity.consider(says(Verdict.UNCERTAIN), votes)
    assert identity.state is IdentityState.KNOWN


def test_a_name_is_taken_back_after_contradiction_in_a_row():
    identity = Identity()
    identity.consider(says(Verdict.KNOWN, strong=True), 1)
    for count in range(1, DEFAULT_IDENTITY.patience):
        identity.consider(says(Verdict.KNOWN, person="bob"), 1 + count)
        assert identity.opinion.person == "ada"
    identity.consider(says(Verdict.KNOWN, person="bob"), 9)
    assert (identity.state, identity.opinion.person) == (IdentityState.KNOWN, "bob")


def test_contradiction_must_be_in_a_row():
    identity = Identity()
    identity.consider(says(Verdict.KNOWN, strong=True), 1)
    for votes in range(2, 20, 2):
        identity.consider(says(Verdict.UNKNOWN), votes)
        identity.consider(says(Verdict.KNOWN), votes + 1)
    assert identity.state is IdentityState.KNOWN


def test_nobody_is_said_to_be_unknown_at_first_sight():
    identity = Identity()
    identity.consider(says(Verdict.UNKNOWN, person=None), 1)
    assert identity.state is IdentityState.PENDING
    identity.consider(says(Verdict.UNKNOWN, person=None), DEFAULT_IDENTITY.votes_for_unknown)
    assert identity.state is IdentityState.UNKNOWN


def test_a_changed_gallery_starts_anew():
    identity = Identity()
    identity.consider(says(Verdict.KNOWN, strong=True), 1)
    identity.reset()
    assert identity.state is IdentityState.PENDING
    assert identity.opinion is None

"""These Hypothesis strategies generate arbitrary JSON, with which tests attack the code that reads answers."""

import os

from hypothesis import HealthCheck, settings, strategies as st

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def relaxed(examples: int) -> settings:
    """Return settings that let a property test use fixtures; ``ZEKE_TEST_DEEP=1`` runs more examples."""
    most = 500 if os.environ.get("ZEKE_TEST_DEEP") else examples
    return settings(max_examples=most, suppress_health_check=[HealthCheck.function_scoped_fixture])

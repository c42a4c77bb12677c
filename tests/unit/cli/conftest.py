"""The profile of `just fuzz`, which `test_fuzz.py` reads."""

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("fuzz", max_examples=14_300, deadline=None, suppress_health_check=_SLOW)

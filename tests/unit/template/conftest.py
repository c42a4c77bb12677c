"""Hypothesis profiles: 40 examples per property, or with `just fuzz` 14,300."""

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("fuzz", max_examples=14_300, deadline=None, suppress_health_check=_SLOW)
settings.load_profile("quick")  # `--hypothesis-profile` comes after and wins

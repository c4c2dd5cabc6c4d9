"""Hypothesis profiles: few, repeatable examples by default; ``HYPOTHESIS_PROFILE=thorough`` looks further."""

import os

from hypothesis import HealthCheck, settings

relaxed = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=20, **relaxed)
settings.register_profile("ci", max_examples=20, derandomize=True, **relaxed)
settings.register_profile("thorough", max_examples=200, **relaxed)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

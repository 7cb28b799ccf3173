"""Options of `jax.jit` for the code that users run; `conftest.py` leaves its optimisation out."""

OPTIMISED = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}

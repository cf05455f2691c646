"""Blocked baselines, one file a method, all with the signature ``policy(env, T, *, seed, ...) -> Run``."""

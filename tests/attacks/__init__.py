"""Attacks on a model that always obeys: what carries the words, what they ask for, and what is to stop it."""

"""Measure what is answered. May import app and index; nothing imports it."""

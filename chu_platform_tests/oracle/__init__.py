"""Tests of the oracle and of its separation from what it checks."""

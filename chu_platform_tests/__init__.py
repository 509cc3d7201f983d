"""Tests of the platform: they mirror its packages, and use real engines, real Delta, real PostgreSQL."""

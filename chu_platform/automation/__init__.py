"""Automation: what starts runs without a person, and what tells people of failures.

Here: conditions, schedules, the sensor of arriving files, notices. Not here: what the runs do (graph).
"""

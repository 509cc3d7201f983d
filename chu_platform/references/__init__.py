"""Reference data: regions, departments, CIM-10, calendar. One module a table; small facts are CSV files in data/."""

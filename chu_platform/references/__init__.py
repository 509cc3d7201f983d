"""Reference tables: regions, departments, CIM-10, calendar. One module declares one table."""

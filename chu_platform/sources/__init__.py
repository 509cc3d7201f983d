"""Source tables: the columns of each delivered file or database table. One module declares one table."""

import duckdb

for _ in range(100):
    with duckdb.connect() as c:
        pass

"""Physical layouts of the large tables, measured: which of them answer evidence queries faster, on which engine."""

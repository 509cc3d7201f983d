"""Ingestion: delivered files and tables found, read, and typed; rows that do not fit become rejects."""

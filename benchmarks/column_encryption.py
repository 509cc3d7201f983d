"""What it would cost to encrypt the identifying columns of the restricted sources at rest: CPU time of reading.

    python benchmarks/column_encryption.py LAKE [REPETITIONS]

Two ways are compared with plain columns, for each source that has rows and identifying columns: `cells`, each value
encrypted by itself with AES-GCM (`cryptography`), as any reader of Parquet could then read the file; and `modular`,
Parquet's own encryption of these columns (AES-GCM as well), which needs a reader that knows the keys: PyArrow here. The
files have the rows of the lake, in the same order and compression. Times are the medians of the CPU time (user and
system) of reading a table whole, in turns.
"""

import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.tables.table import Layer

NONCE = 12
KEY = os.urandom(16)


class _Kms(pe.KmsClient):
    """Keys are wrapped with one key of this process."""

    def __init__(self, _config: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, _master_key_identifier: str) -> bytes:
        return bytes(a ^ b for a, b in zip(key_bytes, KEY, strict=True)).hex().encode()

    def unwrap_key(self, wrapped_key: str, _master_key_identifier: str) -> bytes:
        return bytes(a ^ b for a, b in zip(bytes.fromhex(wrapped_key), KEY, strict=True))


def main(lake: Path, repetitions: int) -> None:
    """Print the CPU time of reading each table, and the totals."""
    totals = {"plain": 0.0, "cells": 0.0, "modular": 0.0}
    print("| source | rows | identifying columns | plain (s) | cells (s) | modular (s) |")
    print("| -- | --: | --: | --: | --: | --: |")
    for table in catalogue():
        columns = [c.name for c in table.columns if c.identifying]
        if table.layer is not Layer.SOURCES or not columns or not (lake / table.folder / "_delta_log").is_dir():
            continue
        rows = DeltaTable(lake / table.folder).to_pyarrow_table()
        if not len(rows):
            continue
        found = measured(rows, columns, repetitions)
        totals = {name: totals[name] + seconds for name, seconds in found.items()}
        seconds = " | ".join(f"{found[name]:.3f}" for name in totals)
        print(f"| {table.name} | {len(rows)} | {len(columns)} | {seconds} |", flush=True)
    shares = ", ".join(f"{name} {totals[name] / totals['plain'] - 1:+.0%}" for name in ("cells", "modular"))
    print(f"\ntotal: {', '.join(f'{n} {s:.3f} s' for n, s in totals.items())}; against plain: {shares}")


def measured(rows: pa.Table, columns: list[str], repetitions: int) -> dict[str, float]:
    """The median CPU times of reading a table, by way."""
    cipher = AESGCM(KEY)
    factory = pe.CryptoFactory(_Kms)
    connection = pe.KmsConnectionConfig()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(rows, folder / "plain.parquet", compression="zstd")
        pq.write_table(encrypted(rows, columns, cipher), folder / "cells.parquet", compression="zstd")
        configuration = pe.EncryptionConfiguration(
            footer_key="footer", column_keys={"columns": columns}, plaintext_footer=True, data_key_length_bits=128
        )
        properties = factory.file_encryption_properties(connection, configuration)
        with pq.ParquetWriter(
            folder / "modular.parquet", rows.schema, compression="zstd", encryption_properties=properties
        ) as writer:
            writer.write_table(rows)

        def modular() -> pa.Table:
            decryption = factory.file_decryption_properties(connection)
            return pq.read_table(folder / "modular.parquet", decryption_properties=decryption)

        ways: dict[str, Callable[[], pa.Table]] = {
            "plain": lambda: pq.read_table(folder / "plain.parquet"),
            "cells": lambda: decrypted(pq.read_table(folder / "cells.parquet"), columns, cipher),
            "modular": modular,
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repetitions):
            for way, read in ways.items():
                begun = cpu_seconds()
                assert len(read()) == len(rows)
                times[way].append(cpu_seconds() - begun)
    return {way: statistics.median(seconds) for way, seconds in times.items()}


def encrypted(rows: pa.Table, columns: list[str], cipher: AESGCM) -> pa.Table:
    """The table with each value of some columns encrypted by itself."""
    for name in columns:
        texts = rows[name].cast(pa.string()).to_pylist()
        nonces = (os.urandom(NONCE) for _ in texts)
        cells = [
            None if t is None else n + cipher.encrypt(n, t.encode(), None) for t, n in zip(texts, nonces, strict=True)
        ]
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(cells, pa.binary()))
    return rows


def decrypted(rows: pa.Table, columns: list[str], cipher: AESGCM) -> pa.Table:
    """The table with the values of these columns as text again."""
    for name in columns:
        cells = rows[name].to_pylist()
        texts = [None if c is None else cipher.decrypt(c[:NONCE], c[NONCE:], None).decode() for c in cells]
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(texts, pa.string()))
    return rows


def cpu_seconds() -> float:
    """User and system time of this process until now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)

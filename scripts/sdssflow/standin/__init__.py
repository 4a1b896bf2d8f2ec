"""A SkyServer on the loopback interface, over a folder of Parquet files.

It answers the queries of the pipeline as skyserver.sdss.org would, bytes included, so that the
default run and the tests walk through the real client. SQL that it can't translate exactly is
refused: a test must not be green because of a mistranslation.

    server.py         HTTP: addresses, guards, errors, streaming; the `SkyServer` context manager
    serve.py          the same on the command line
    guard.py          what the server's stored procedure does to the text of a query
    dialects.py, tokens.py   T-SQL and ADQL: the words and signs that are let through
    values.py, expressions.py, conditions.py, translation.py   to DuckDB, by an allow-list
    database.py       the tables, as DuckDB views over the Parquet files
    csv_format.py     rows as .NET writes them
    answers.py, loopback.py   an answer, how it goes over the wire, and the log of all
    tap.py, votable.py   a minimal TAP service over the same tables
"""

"""A SkyServer on the loopback interface, over a simulated sky in a folder of Parquet files.

It answers the queries of the pipeline as skyserver.sdss.org would, bytes included, so that the
default run and the tests walk through the real client. SQL that it can't translate exactly is
refused: a test must not be green because of a mistranslation. Nothing of the stages is imported
here, only constants of the photometry and the writing of files. Its modules::

    server.py         the search page, what it does to the text of a query, and its command line
    translation.py    T-SQL and ADQL to DuckDB, by an allow-list
    database.py       the tables, as DuckDB views over the Parquet files; types and dialects of
                      SQL; rows as .NET writes them
    loopback.py       requests, answers, how they go over the wire, and the log of all
    tap.py            a minimal TAP service over the same tables
    sky/              the simulated sky
"""

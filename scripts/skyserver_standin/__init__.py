"""A SkyServer on the loopback interface, over a simulated sky in a folder of Parquet files.

It answers the queries of the pipeline as skyserver.sdss.org would, byte by byte, so that the
default run and the tests use the real client. SQL that it can't translate exactly is refused, so
that no test passes because of a mistranslation. Of the stages, only constants of the photometry and
the writing of files are imported here. Its modules::

    server.py         the search page, how it modifies the text of a query, and the command line
    translation.py    T-SQL and ADQL to DuckDB, by an allow-list
    database.py       the tables, as DuckDB views over the Parquet files; types and dialects of
                      SQL; rows as .NET writes them
    loopback.py       requests, answers, their transmission, and a log
    tap.py            a minimal TAP service over the same tables
    sky/              the simulated sky
"""

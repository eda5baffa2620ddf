-- What is in a database is a file of its own, `d1/UUID.sqlite`.
CREATE TABLE d1_databases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_on TEXT NOT NULL
) STRICT;

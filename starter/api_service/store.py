"""The store: where tasks are kept. In memory for lab 01; lab 02 puts a database behind the same functions."""

# TODO lab01#creating-tasks: what will the routes ask of a store? Write their signatures down first.
# TODO lab01#lists-and-pages: which order does the list have when two tasks are born in the same instant?
# TODO lab01#many-clients: can anybody else run between two lines of yours?
# TODO lab02: the same functions, on PostgreSQL.

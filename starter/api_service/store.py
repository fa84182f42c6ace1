"""The store: where tasks are kept. In memory for lab 01; lab 02 puts a database behind the same functions."""

# TODO lab01#creating-tasks: what will the routes ask of a store? Write their signatures down first.
# TODO lab01#lists-and-pages: which order does the list have when two tasks are born in the same instant?
# TODO lab01#many-clients: can anybody else run between two lines of yours?
# TODO lab02#tasks-that-stay: the same functions, on PostgreSQL. Which lines outside this file have to change?
# TODO lab02#sql-and-data: where do a statement and its values meet, and who puts them together?
# TODO lab02#the-connection-pool: on each way out of a function, who gives its connection back?

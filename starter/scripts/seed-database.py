"""Fills the database with believable tasks, so that there is something to look at."""

import argparse


def main() -> None:
    # TODO lab04#how-scripts-behave: what would somebody want to read here who has never seen this script?
    parser = argparse.ArgumentParser(description=__doc__)
    # TODO lab04#seeding: --count, --clear, --seed. Which of their values are wrong usage?
    # TODO lab04#how-scripts-behave: what does somebody hear who mistypes an option? Who swallows it now?
    parser.parse_known_args()
    # TODO lab04#configuration: which variables does this script read, and who has told how to read them
    # already?
    # TODO lab04#seeding: what makes a task believable? Which of its fields depend on its status?
    # TODO lab04#seeding: Ctrl-C comes after the first half of the rows. Where are these then?
    # TODO lab04#seeding: one INSERT for each row is a round trip for each row. How many of them is a million?
    # TODO lab04#how-scripts-behave: no database, or no table in it. What is shown, and with which status?
    parser.exit(1, "seed-database.py does nothing yet: no task was made.\n")


if __name__ == "__main__":
    main()

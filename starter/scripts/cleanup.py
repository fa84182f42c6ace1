"""Deletes all tasks."""

import argparse


def main() -> None:
    # TODO lab04#cleaning-up: what does somebody need to know before they run this on the wrong database?
    parser = argparse.ArgumentParser(description=__doc__)
    # TODO lab04#cleaning-up: --confirm. Why an option, and not a question that the script asks?
    parser.parse_known_args()
    # TODO lab04#how-scripts-behave: nothing to delete, and nobody to ask: which of the two is a failure?
    parser.exit(1, "cleanup.py does nothing yet.\n")


if __name__ == "__main__":
    main()

"""What the integration tests ask for by name."""

# TODO lab05#a-database-to-play-with: TEST_DATABASE_URL. What does somebody read who has not set it, and what
# do they have to do?
# TODO lab05#a-database-to-play-with: how often does the schema have to be brought to its newest revision: for
# each test, for each run, once in a lifetime?
# TODO lab05#a-database-to-play-with: who removes a test's rows if the test fails half-way?
# TODO lab05#twelve-cases-and-four: which of the four could a store in memory never have told you?

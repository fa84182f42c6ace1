"""Bugs noticed: with one saboteur between the tests and the application, at least one test must fail.

The saboteur of a check has its name, without `test_`; see labkit/sabotage/saboteurs.py.
"""

from labkit.checks import check

HANDOUT = "lab-05-testing.md#tests-that-can-fail"


# -- creating -----------------------------------------------------------------------------------------------


@check(points=0.35, read=HANDOUT)
def test_created_answers_200(noticed):
    """POST /tasks answers 200 instead of 201, and a test notices.

    How does a client tell "I made it" from "here it is"?
    """
    noticed("created_answers_200")


@check(points=0.35, read=HANDOUT)
def test_location_is_missing(noticed):
    """POST /tasks no longer says where the new task is, and a test notices.

    What does a client that is told 201 look for in the headers?
    """
    noticed("location_is_missing")


@check(points=0.35, read=HANDOUT)
def test_created_task_is_lost(noticed):
    """POST /tasks answers with the new task but keeps nothing, and a test notices.

    After the 201, which question would you ask the service next?
    """
    noticed("created_task_is_lost")


@check(points=0.35, read=HANDOUT)
def test_description_is_dropped(noticed):
    """The description that a client sends is not stored, and a test notices.

    If every task in your tests has only a title, which line of your service may be missing?
    """
    noticed("description_is_dropped")


@check(points=0.35, read=HANDOUT)
def test_priority_is_forgotten(noticed):
    """Every new task gets priority 0, whatever the client sends, and a test notices.

    Which value would you send to tell it from the default?
    """
    noticed("priority_is_forgotten")


# -- refusing -----------------------------------------------------------------------------------------------


@check(points=0.35, read=HANDOUT)
def test_blank_titles_are_taken(noticed):
    """A title of nothing but white space is accepted, and a test notices.

    Is "   " a title, and who in your tests has asked?
    """
    noticed("blank_titles_are_taken")


@check(points=0.35, read=HANDOUT)
def test_long_titles_are_cut(noticed):
    """A title that is too long is cut and accepted, and a test notices.

    Where exactly does your rule begin to say no, and do you test on both sides of it?
    """
    noticed("long_titles_are_cut")


@check(points=0.35, read=HANDOUT)
def test_unknown_fields_are_ignored(noticed):
    """A misspelt field is silently ignored, and a test notices.

    What would a client who writes "titel" or "prioritty" like to hear?
    """
    noticed("unknown_fields_are_ignored")


@check(points=0.35, read=HANDOUT)
def test_invalid_input_is_422(noticed):
    """Invalid input is answered with 422 instead of 400, and a test notices.

    Your framework has its own opinion about this number. Do your tests know the contract's?
    """
    noticed("invalid_input_is_422")


@check(points=0.35, read=HANDOUT)
def test_details_are_empty(noticed):
    """An error no longer says which field is to blame, and a test notices.

    Of an answer of 400, what does a form in a browser need to know?
    """
    noticed("details_are_empty")


# -- reading ------------------------------------------------------------------------------------------------


@check(points=0.35, read=HANDOUT)
def test_missing_task_is_null(noticed):
    """A task that is not there is answered with 200 and null, and a test notices.

    Which ids do your tests ask for: only those that exist?
    """
    noticed("missing_task_is_null")


@check(points=0.35, read=HANDOUT)
def test_malformed_id_is_404(noticed):
    """An id that is no UUID is answered with 404 instead of 400, and a test notices.

    Not found, or not an id: which of the two can a client do something about?
    """
    noticed("malformed_id_is_404")


@check(points=0.35, read=HANDOUT)
def test_limit_is_ignored(noticed):
    """A list ignores its limit, and a test notices.

    How many tasks must there be before a limit of 2 shows?
    """
    noticed("limit_is_ignored")


@check(points=0.35, read=HANDOUT)
def test_every_page_is_the_first(noticed):
    """Every page of a list is the first one, and a test notices.

    What must two pages of one list never have in common?
    """
    noticed("every_page_is_the_first")


@check(points=0.35, read=HANDOUT)
def test_filter_is_ignored(noticed):
    """A list ignores the status that it is asked for, and a test notices.

    If all tasks in your tests are pending, what does a filter on pending prove?
    """
    noticed("filter_is_ignored")


@check(points=0.35, read=HANDOUT)
def test_total_counts_the_page(noticed):
    """The total of a list counts only the page, and a test notices.

    When are the total and the length of the page the same number, and is that how you test it?
    """
    noticed("total_counts_the_page")


@check(points=0.35, read=HANDOUT)
def test_newest_first(noticed):
    """Lists come in reverse order, and a test notices.

    Do you compare lists, or only their lengths?
    """
    noticed("newest_first")


# -- changing and deleting ----------------------------------------------------------------------------------


@check(points=0.35, read=HANDOUT)
def test_update_writes_nothing(noticed):
    """PUT answers with the new values but writes nothing, and a test notices.

    Whom do you believe: the answer to the PUT, or the GET after it?
    """
    noticed("update_writes_nothing")


@check(points=0.35, read=HANDOUT)
def test_update_keeps_what_was_left_out(noticed):
    """PUT keeps the fields that the client left out, and a test notices.

    What makes PUT differ from PATCH, and which request would show it?
    """
    noticed("update_keeps_what_was_left_out")


@check(points=0.35, read=HANDOUT)
def test_updated_at_stands_still(noticed):
    """A change no longer moves updated_at, and a test notices.

    Which two moments of one task would you compare?
    """
    noticed("updated_at_stands_still")


@check(points=0.35, read=HANDOUT)
def test_delete_keeps_the_task(noticed):
    """DELETE answers 204 and deletes nothing, and a test notices.

    Who, after a DELETE, still goes to look?
    """
    noticed("delete_keeps_the_task")


@check(points=0.35, read=HANDOUT)
def test_delete_of_nothing_succeeds(noticed):
    """Deleting a task that is not there succeeds, and a test notices.

    What does your test do twice that one can only do once?
    """
    noticed("delete_of_nothing_succeeds")


# -- the service --------------------------------------------------------------------------------------------


@check(points=0.35, read=HANDOUT)
def test_health_hides_an_outage(noticed):
    """/health says that all is well while the database is away, and a test notices.

    How do you take the database from a service that has none, in a unit test?
    """
    noticed("health_hides_an_outage")


@check(points=0.35, read=HANDOUT)
def test_request_id_is_replaced(noticed):
    """The request id that a client sends does not come back, and a test notices.

    A client has given its request a name. How does it learn that you will find it again under that name?
    """
    noticed("request_id_is_replaced")

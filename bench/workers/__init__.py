"""Workers of the compared systems as processes of their own, each written as its documentation shows."""

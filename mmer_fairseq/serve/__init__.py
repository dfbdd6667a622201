"""A web page of this machine: give a clip, see what a model makes of it while it plays (``mmer serve``).

- :mod:`settings`: limits, and what the server knows.
- :mod:`safety`: what of a stranger's file is looked at before a decoder sees it.
- :mod:`uploads`: the table of files that are held, each in a folder of its own.
- :mod:`folder`: where these folders lie, and what killed servers left behind.
- :mod:`work`: the queue, one prediction at a time.
- :mod:`model`: the predictor, in words for the page.
- :mod:`guard`: which requests are answered, and the headers of every answer.
- :mod:`app`: the routes. :mod:`server`: port, start and end.

Only ``app`` and ``server`` import starlette and uvicorn.
"""

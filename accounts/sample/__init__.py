"""The sample company: an invented Japanese vendor of document software, generated day by day.

Everything but ``loading`` is pure: no Django, no clock, nothing read.  The same
``Company`` gives the same rows, whatever the size and however it is cut.  Read in this order:
``company`` (who sells what), ``behaviours`` (who does what), ``names``, ``profiles``
(who the customers are), ``contracts`` (what they bought), ``voice`` (what they said),
``rhythm`` and ``usage`` (what they did), ``tables`` (rows for the database), ``loading``.
"""

"""The embedded servers and their supervisor.

Stands beside the rest: knows the standard library and ``expansion.env``, neither Django nor an app, so that it can
start what they need.
"""

"""Every published form of a preference, one file a form, and back to statements.

``render`` never says more than the model allows; ``parse`` never raises: it returns a Reading of
statements and problems. The table of all forms is in ``forms``.
"""

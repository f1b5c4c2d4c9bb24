"""Does a real kernel agree? Recorded runs of the patch are executed on the model and compared, step by step.

The recorded outcome never decides what to do; it is looked at afterwards.
"""

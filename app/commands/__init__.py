"""The headless commands, one file each. A module's ``add`` names its options, its ``run`` does the work.

Exit codes::

    0    done
    1    failed; the reason and the advice stand on stderr
    2    the call's words are off
    3    nothing was found
    4    a decision is needed first (backend, one-way door, a person at the charger)
    5    not proved: something was written, but the proof is missing
    130  interrupted; nothing is left half-written, a job can be resumed
"""

OK, FAILED, USAGE, NOTHING, UNDECIDED, UNPROVED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

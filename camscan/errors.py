"""Which errors can camscan raise, and which exit code does each mean?

    CamscanError                     exit  what it means for the user
    |-- UsageError                    3    a wrong option, name or combination
    |-- ScopeError                    3    an address that may not be touched, or no authority given
    |-- ProgramMissingError           3    a program or package that an option named is not installed
    |-- KnowledgeError                1    a file of signatures/ is wrong (lint)
    |-- RunError                      2    a run directory cannot be read or written
    |   |-- SchemaError               2    written by a newer major version
    |   `-- SealedError               3    a sealed intake was to be changed
    |-- InputError                    2    an input file cannot be read as what it claims to be
    |-- DecodeError                   -    bytes are not what the protocol says; becomes an Attempt, never ends a run
    |-- ObserveError                  -    an exchange did not finish; carries a Reason, becomes an Attempt
    `-- PrivilegeError                2    the kernel refused what the test needs

Messages say what was wrong, where, and what to do.
"""

from __future__ import annotations


class CamscanError(Exception):
    """Root of all errors camscan raises on purpose."""

    exit_code = 4


class UsageError(CamscanError):
    exit_code = 3


class ScopeError(CamscanError):
    exit_code = 3


class ProgramMissingError(CamscanError):
    exit_code = 3


class KnowledgeError(CamscanError):
    exit_code = 1


class RunError(CamscanError):
    exit_code = 2


class SchemaError(RunError):
    pass


class SealedError(RunError):
    exit_code = 3


class InputError(CamscanError):
    exit_code = 2


class DecodeError(CamscanError):
    """The bytes do not follow the protocol; the message names the first thing that is wrong."""


class ObserveError(CamscanError):
    """An exchange did not finish.

    `reason` is a code of `camscan.model.observation.Reason`.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class PrivilegeError(CamscanError):
    exit_code = 2

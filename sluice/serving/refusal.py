"""A request that the gateway refuses, with what its HTTP answer needs."""

from __future__ import annotations

from sluice.errors import ServingError


class RefusedError(ServingError):
    """The gateway will not do this. `status` is the HTTP status, `code` a stable word for programs.

    Attributes:
        retry_after: seconds after which trying again makes sense; None where it does not.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

"""How SimpleDB refuses a request: error codes and their HTTP statuses, as the guide's "API Error Codes" has them."""

_CONFLICTS = frozenset(
    {
        "ConditionalCheckFailed",
        "MultiValuedAttribute",
        "NumberDomainsExceeded",
        "NumberItemAttributesExceeded",
        "NumberSubmittedAttributesExceeded",
        "NumberSubmittedItemsExceeded",
    }
)

_STATUSES = {"AttributeDoesNotExist": 404, "AuthMissingFailure": 403}


class RefusedError(Exception):
    """A request that SimpleDB does not serve."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return 409 if self.code in _CONFLICTS else _STATUSES.get(self.code, 400)


def missing(parameter: str) -> RefusedError:
    """A parameter that must be there."""
    return RefusedError(code="MissingParameter", message=f"The request must contain the parameter {parameter}.")


def invalid(value: str, parameter: str, reason: str) -> RefusedError:
    """A parameter whose value cannot be."""
    msg = f"Value ({value}) for parameter {parameter} is invalid. {reason}"
    return RefusedError(code="InvalidParameterValue", message=msg)

"""Type parameters for classes whose bases must stay what they always were."""

from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

RequestT = TypeVar("RequestT", default=Any)
AddressT = TypeVar("AddressT", default=Any)

if TYPE_CHECKING:

    class Parameters(Generic[RequestT, AddressT]):
        """The base of generic classes, for the checkers only."""

else:

    class _NoBase:
        """Stands in a list of bases and adds none; PEP 560."""

        def __getitem__(self, parameters):
            return self

        def __mro_entries__(self, bases):
            return ()

    Parameters = _NoBase()

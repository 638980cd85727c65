"""Orders: what a process asks of the one that leads a stream, through the store.

The leader looks for orders a few times a second, does them, each in a thread of its own, and writes down what came of
them. An order whose leader ends before it has answered is done by the next one: all of them may be done twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from mainstem.contract.fleet import FleetStore, Order
from mainstem.control.rounds import Rounds
from mainstem.errors import ConnectReason, MainstemError
from mainstem.log import logger

LOOK_S = 0.2
ANSWER_S = 0.1
_log = logger(__name__)


class LedElsewhereError(MainstemError):
    """Another process leads the stream, which has to be asked; never shown to a user."""

    code = "led_elsewhere"


@dataclass(frozen=True, slots=True)
class Command:
    """A kind of order.

    Attributes:
        result: the type of what comes of it, which has to survive JSON.
        lasts_s: how long to wait for it.
    """

    kind: str
    result: Any = None
    lasts_s: float = 30.0


Do = Callable[..., Any]
"""Takes the stream's id and the command's arguments; raises `LedElsewhereError` when this process does not lead it."""


class Orders:
    """Both sides: orders of this process, and those of others that it answers."""

    def __init__(self, store: FleetStore, holder: str, *, shared: bool) -> None:
        self._store, self._holder, self._shared = store, holder, shared
        self._does: dict[str, tuple[Command, Do]] = {}
        self._looks = Rounds("orders", LOOK_S, self._look)

    def answer_with(self, command: Command, do: Do) -> None:
        """How this process does a command for a stream that it leads."""
        self._does[command.kind] = command, do

    def start(self) -> None:
        """Begin to look for orders."""
        if self._shared:
            self._looks.start()

    def close(self) -> None:
        """Take no more orders."""
        self._looks.close()

    def ask(self, lease_name: str, command: Command, args: tuple[Any, ...], lasts_s: float) -> Any:
        """Have the holder of a lease do something, and wait for what comes of it.

        Raises:
            LedElsewhereError: nobody has answered, and the holder of a moment ago is gone, or the time is over.
            MainstemError: what the leader raised.
        """
        asked = next((lease for lease in self._store.leases() if lease.name == lease_name), None)
        deadline_s = time.monotonic() + lasts_s
        number = self._store.add_order(lease_name, command.kind, {"args": list(args)}, lasts_s)
        answer = None
        try:
            while answer is None and time.monotonic() < deadline_s:
                time.sleep(ANSWER_S)
                answer = self._store.answer(number)
                if answer is None and asked not in self._store.leases():
                    break
        finally:
            answer = self._store.withdraw(number) or answer
        if answer is None:
            raise LedElsewhereError("the process that leads this stream did not answer")
        if "error" in answer:
            raise error_from_json(answer["error"])
        return TypeAdapter(command.result).validate_python(answer["result"])

    def _look(self) -> None:
        for order in self._store.take_orders(self._holder):
            threading.Thread(target=self._answer, args=(order,), name=f"order-{order.number}", daemon=True).start()

    def _answer(self, order: Order) -> None:
        command, do = self._does[order.kind]
        try:
            stream_id = order.subject.rpartition("/")[2]
            result = do(stream_id, *order.body["args"])
            answer = {"result": TypeAdapter(command.result).dump_python(result, mode="json")}
        except LedElsewhereError:
            return  # whoever leads it now takes the order, too
        except MainstemError as exc:
            answer = {"error": error_to_json(exc)}
        except Exception as exc:
            _log.exception("an order broke off", kind=order.kind)
            told = MainstemError(
                f"internal error ({type(exc).__name__}); the log of the stream's server has the details"
            )
            answer = {"error": error_to_json(told)}
        self._store.answer_order(order.number, answer)


def error_to_json(error: MainstemError) -> dict[str, Any]:
    """An error of ours: its class by name, and all that it says."""
    return {"class": type(error).__name__, "has": vars(error)}


def error_from_json(data: dict[str, Any]) -> MainstemError:
    """What `error_to_json` wrote; of the nearest class that is known here."""
    has = dict(data["has"])
    if "reason" in has:
        has["reason"] = ConnectReason(has["reason"])
    kind = _classes().get(data["class"], MainstemError)
    error = kind.__new__(kind, has["message"])
    vars(error).update(has)
    return error


def _classes(root: type[MainstemError] = MainstemError) -> dict[str, type[MainstemError]]:
    found = {root.__name__: root}
    for kind in root.__subclasses__():
        found |= _classes(kind)
    return found

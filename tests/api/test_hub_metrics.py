from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from mainstem.api.metrics import _hub
from mainstem.contract.hub import HubFill, HubTraffic


def text_of(traffic: HubTraffic | None) -> str:
    registry = CollectorRegistry()

    class Hub(Collector):
        def collect(self):  # type: ignore[no-untyped-def]
            return _hub(traffic)

    registry.register(Hub())
    return generate_latest(registry).decode()


def test_a_hub_outside_the_process_has_its_counters_and_what_waits_in_it() -> None:
    text = text_of(HubTraffic(messages=3, redelivered=2, waiting_bytes=7))
    assert "mainstem_hub_messages_total 3.0" in text
    assert "mainstem_hub_redelivered_total 2.0" in text
    assert "mainstem_hub_waiting_bytes 7.0" in text


def test_what_waits_is_told_for_each_stream_beside_what_may() -> None:
    of = HubFill("stream_a", 1, 10, 100)
    text = text_of(HubTraffic(fills=(of, HubFill("stream_a", 2, 20, 100, 7.5, 60), HubFill("stream_b", 0, 0, 100))))
    assert 'mainstem_hub_stream_bytes{stream="stream_a"} 30.0' in text
    assert 'mainstem_hub_stream_max_bytes{stream="stream_a"} 200.0' in text
    assert 'mainstem_hub_stream_oldest_seconds{stream="stream_a"} 7.5' in text
    assert 'mainstem_hub_stream_max_age_seconds{stream="stream_a"} 60.0' in text
    assert 'mainstem_hub_stream_messages{stream="stream_b"} 0.0' in text


def test_a_hub_in_memory_has_none() -> None:
    assert text_of(None) == ""

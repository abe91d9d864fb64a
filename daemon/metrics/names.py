"""Every metric of batchd: its name, its kind, its labels and what it means.

Labels are bounded: feeds and APIs are those of the configuration, and statuses are counted apart up to a number.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Named(NamedTuple):
    """A metric as it is published."""

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    about: str


METRICS = {
    "batchd_rows_total": Named("counter", ("feed", "outcome"), "Rows of saved pages, by what became of them."),
    "batchd_batches_total": Named("counter", ("feed", "status"), "Batches that have ended."),
    "batchd_api_calls_total": Named(
        "counter", ("api", "status"), "Calls that have ended, by the status of the answer or why there was none."
    ),
    "batchd_api_retries_total": Named("counter", ("api",), "Calls for a row that had been called before."),
    "batchd_api_latency_seconds": Named("histogram", (), "How long the calls took that were answered."),
    "batchd_api_in_flight": Named("gauge", ("api",), "Calls in flight."),
    "batchd_api_limit": Named(
        "gauge",
        ("api",),
        "Calls that may be in flight at present; of several workers, that want some.",
    ),
    "batchd_api_outage": Named("gauge", ("api",), "1 where a worker takes the API to be down, so that batches wait."),
    "batchd_files": Named("gauge", ("feed", "state"), "Files of the inbox whose batch has not ended, by state."),
    "batchd_oldest_waiting_file_seconds": Named(
        "gauge", ("feed",), "How long the file waits that waits longest to become a batch; 0 where none does."
    ),
    "batchd_scan_age_seconds": Named("gauge", ("feed",), "Time since the inbox was last scanned to the end."),
    "batchd_start_delay_seconds": Named("histogram", (), "From a file that has settled to its workflow, started."),
    "batchd_receipts": Named("gauge", (), "Batches that the state folder remembers."),
    "batchd_build_info": Named("gauge", ("version",), "1; the label says what runs."),
}

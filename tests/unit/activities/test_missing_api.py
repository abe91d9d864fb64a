"""A batch whose API a worker does not have waits for one that does, and says so; it never fails."""

from __future__ import annotations

from pathlib import Path

from page_site import PageSite

from activities.adapter import BatchActivities
from activities.api.calls.described_calls import ApiAccess
from activities.api.client import ApiOptions, EnrichmentClient
from activities.api.clients import UNNAMED, ApiClients
from activities.stall_detector import StallDetector
from workflows.api_spec import ApiSpec
from workflows.requests import EnrichedPage, EnrichPage

PEOPLE = ApiSpec(name="people", method="GET", url="http://127.0.0.1:9/people{?id}")


async def enriched(site: PageSite, clients: ApiClients, api: ApiSpec | None) -> EnrichedPage:
    async with clients, StallDetector() as stall_detector:
        activities = BatchActivities(site.workspace, clients, stall_detector)
        request = EnrichPage(batch=site.batch, page=site.page, api=api)
        result: EnrichedPage = await site.environment().run(activities.enrich_chunk, request)
        return result


async def test_a_page_waits_for_a_worker_that_has_its_api(tmp_path: Path) -> None:
    described = EnrichmentClient(ApiAccess(ApiOptions(url="http://127.0.0.1:9/")))
    outcome = await enriched(PageSite(tmp_path), ApiClients({"other": described}), PEOPLE)
    assert (outcome.outcome, outcome.rows_done) == ("api_down", 0)
    assert "has no API 'people', which the batch was begun with: add [api.people]" in outcome.detail
    assert outcome.retry_after_s > 0


async def test_a_page_begun_without_a_configuration_file_waits_for_a_worker_without_one(tmp_path: Path) -> None:
    described = EnrichmentClient(ApiAccess(ApiOptions(url="http://127.0.0.1:9/")))
    outcome = await enriched(PageSite(tmp_path), ApiClients({"people": described}), None)
    assert outcome.outcome == "api_down"
    assert "begun without a configuration file" in outcome.detail


async def test_a_page_of_a_described_api_waits_where_a_worker_has_variables_alone(tmp_path: Path) -> None:
    plain = EnrichmentClient(ApiOptions(url="http://127.0.0.1:9/enrich"))
    outcome = await enriched(PageSite(tmp_path), ApiClients({UNNAMED: plain}), PEOPLE)
    assert (outcome.outcome, "add [api.people]" in outcome.detail) == ("api_down", True)

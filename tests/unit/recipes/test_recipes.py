"""Each page of docs/recipes does what it says: pasted as it stands, against its API as that is documented."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from recipe_apis import APIS, BASIC
from recipe_openai import CUT_SHORT, REFUSED, TOO_FAST
from recipe_pages import PAGES, Page, Recipe
from recipe_server import SECRET, Answered, RecipeServer, recipe_server
from tls_api import certificate, front

from daemon.batchctl.main import run
from daemon.config.api_spec import secrets_of

MTLS = "oauth-mtls"

ANOTHER_SHAPE = {
    "chat-completion": ("model:", "engine:"),
    "embeddings": ("model:", "engine:"),
    "form-endpoint": ('encode = "form"\n', ""),
}
"""What is replaced in a page to make its request wrong; in all others the method is left out."""

OTHER_ANSWERS = [
    ("people-data", Answered(429, {"status": 429, "error": {"type": "rate_limit_error"}}), "api_down", "rule 3 held"),
    ("geocoding", Answered(200, {"results": [], "status": "OVER_DAILY_LIMIT"}), "api_refused", "billing_or_cap"),
    ("geocoding", Answered(200, {"results": [], "status": "INVALID_REQUEST"}), "done", "no_address"),
    ("address-validation", Answered(429, b"", {"Retry-After": "30"}), "api_down", "the API answered 429"),
    ("currency", Answered(403, {"result": "error", "error-type": "inactive-account"}), "api_refused", "key_refused"),
    ("currency", Answered(404, {"result": "error", "error-type": "malformed-request"}), "done", "malformed_request"),
    ("chat-completion", CUT_SHORT, "done", "cut_short"),
    ("chat-completion", REFUSED, "done", "refused_by_model"),
    ("chat-completion", TOO_FAST, "api_down", "the API answered 429"),
    ("embeddings", TOO_FAST, "api_down", "the API answered 429"),
    ("form-endpoint", Answered(200, {"rc": "8"}), "done", "form_refused"),
    ("form-endpoint", Answered(200, b"<html>try later</html>"), "api_down", "no JSON"),
    (MTLS, Answered(204, b""), "done", "not_found"),
]
"""What else the tables of the pages name: the page, an answer, the outcome, and the word or the rows' error."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates of an API and of its client."""
    folder = tmp_path_factory.mktemp("certificates")
    certificate(folder, "api")
    certificate(folder, "client")
    return folder


@pytest.fixture(params=APIS)
def page(request: pytest.FixtureRequest) -> Page:
    """Each page in turn."""
    name: str = request.param
    return Page(name)


@pytest.fixture
def server(page: Page, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecipeServer]:
    """The API of a page."""
    tls = None
    if page.name == MTLS:
        tls = front(certificates / "api.pem")
        tls.verify_mode = ssl.CERT_OPTIONAL
        tls.load_verify_locations(certificates / "client.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "api.pem"))
    with recipe_server(APIS[page.name], tls) as serving:
        yield serving


@pytest.fixture
def recipe(page: Page, server: RecipeServer, tmp_path: Path, certificates: Path) -> Recipe:
    """A page that finds its API at the server."""
    return installed(page, tmp_path, certificates, origin=server.origin)


@pytest.fixture(autouse=True)
def no_secret_in_logs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold every test to it that no secret is logged, at any level, and let no proxy of this host be asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    caplog.set_level("DEBUG")
    yield
    assert no_secret_in(caplog.text)


def installed(page: Page, folder: Path, certificates: Path, *, origin: str = "", secret: str = "") -> Recipe:
    """Install the section of a page, with certificates that can be read."""
    if page.name == MTLS:
        (folder / "secrets").mkdir()
        pem = (certificates / "client.pem").read_text()
        key, mark, shown = pem.partition("-----BEGIN CERTIFICATE")
        (folder / "secrets/adp.pem").write_text(mark + shown)
        (folder / "secrets/adp.key").write_text(key)
    return Recipe.installed(page, folder, secret or APIS[page.name].secret, origin=origin)


def test_every_page_is_run_here_and_found_in_the_index() -> None:
    pages = {each.stem for each in PAGES.glob("*.md")} - {"README"}
    assert pages == set(APIS)
    assert pages == set(re.findall(r"\(([a-z-]+)\.md\)", (PAGES / "README.md").read_text()))


def test_the_section_of_a_page_passes_the_check_as_it_stands(
    page: Page, tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = installed(page, tmp_path, certificates)
    for name, value in recipe.environ.items():
        monkeypatch.setenv(name, value)
    code = run(["config", "check", str(recipe.file)])
    assert (code, SECRET in "".join(capsys.readouterr())) == (0, False)


def test_the_curl_lines_of_a_page_are_those_that_try_prints(
    page: Page, tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = installed(page, tmp_path, certificates)
    for name, value in recipe.environ.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / page.file_name
    file.write_text(page.file_text)
    assert run(["--config", str(recipe.file), "try", str(file), "--json"]) == 0
    tried = json.loads(capsys.readouterr().out.replace(str(tmp_path), "/etc/batchd"))
    token = [tried["token"]["curl"]] if tried["token"] else []
    assert page.curl.replace(" \\\n  ", " ").splitlines() == [*token, tried["steps"][0]["request"]["curl"]]


async def test_hits_are_enriched_and_misses_are_not_found_as_the_page_says(page: Page, recipe: Recipe) -> None:
    called = await recipe.call()
    assert called.outcome.outcome == "done"
    assert called.lines == page.result_lines
    expected = [None, None] if page.name == "embeddings" else [None, "not_found"]
    assert [each.error for each in sorted(called.kept, key=lambda each: each.number)] == expected
    assert no_secret_in(called)


async def test_a_quota_means_what_the_page_says(page: Page, server: RecipeServer, recipe: Recipe) -> None:
    server.instead = server.api.quota
    outcome, word = server.api.quota_means
    called = await recipe.call()
    assert (called.outcome.outcome, called.kept) == (outcome, [])
    assert word in called.outcome.detail
    assert word.removesuffix(" held") in page.text
    assert no_secret_in(called)


@pytest.mark.parametrize(("page", "answer", "outcome", "word"), OTHER_ANSWERS, indirect=["page"])
async def test_every_other_answer_that_a_page_names_means_what_it_says(
    recipe: Recipe, server: RecipeServer, answer: Answered, outcome: str, word: str
) -> None:
    server.instead = answer
    called = await recipe.call()
    if outcome == "done":
        assert [each.error for each in called.kept] == [word] * len(recipe.page.rows)
    else:
        assert (called.outcome.outcome, called.kept) == (outcome, [])
        assert word in called.outcome.detail


async def test_an_outage_makes_rows_wait_and_no_fallback_row(server: RecipeServer, recipe: Recipe) -> None:
    server.instead = server.api.down
    called = await recipe.call()
    assert (called.outcome.outcome, called.kept) == ("api_down", [])
    assert no_secret_in(called)


async def test_a_wrong_secret_pauses_the_batch(
    page: Page, server: RecipeServer, tmp_path: Path, certificates: Path
) -> None:
    wrong = "wrong-" + SECRET
    called = await installed(page, tmp_path, certificates, origin=server.origin, secret=wrong).call()
    assert (called.outcome.outcome, called.kept) == ("api_refused", [])
    assert no_secret_in(called)


@pytest.mark.parametrize("page", [name for name in APIS if "file = " in Page(name).configuration], indirect=True)
async def test_a_secret_that_is_corrected_is_read_again_when_the_batch_goes_on(
    page: Page, server: RecipeServer, tmp_path: Path, certificates: Path
) -> None:
    wrong = "wrong-" + SECRET
    recipe = installed(page, tmp_path, certificates, origin=server.origin, secret=wrong)
    async with recipe.calls() as call:
        paused = await call()
        for place in secrets_of(recipe.section()[1]).values():
            assert place.file is not None
            place.file.write_text(server.api.secret)
        called = await call()
    assert (paused.outcome.outcome, called.lines) == ("api_refused", page.result_lines)


async def test_one_text_that_is_refused_costs_no_other_row_of_its_bulk_call(tmp_path: Path, certificates: Path) -> None:
    page = Page("embeddings")
    page.rows[0]["text"] = ""
    with recipe_server(APIS[page.name]) as server:
        called = await installed(page, tmp_path, certificates, origin=server.origin).call()
        assert called.lines[1] == page.result_lines[1]
    assert [each.error for each in sorted(called.kept, key=lambda each: each.number)] == ["http_400", None]
    assert len(server.asked) == 3, "one bulk call, then each row by itself"


async def test_a_client_without_its_certificate_is_refused(
    tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(MTLS)
    page.configuration = re.sub(r"^tls = .*\n", "", page.configuration, flags=re.MULTILINE)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "api.pem"))
    tls = front(certificates / "api.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(certificates / "client.pem")
    with recipe_server(APIS[MTLS], tls) as server:
        called = await installed(page, tmp_path, certificates, origin=server.origin).call()
    assert (called.outcome.outcome, called.kept) == ("api_refused", [])
    assert "correct the certificate, then resume" in called.outcome.detail


async def test_a_request_of_another_shape_enriches_no_row_so_a_wrong_page_fails_here(
    page: Page, server: RecipeServer, tmp_path: Path, certificates: Path
) -> None:
    right, wrong = ANOTHER_SHAPE.get(page.name, ('method = "GET"\n', ""))
    assert right in page.configuration
    page.configuration = page.configuration.replace(right, wrong)
    called = await installed(page, tmp_path, certificates, origin=server.origin).call()
    assert [each.added for each in called.kept] == [None] * len(page.rows)
    assert "not_found" not in {each.error for each in called.kept}


def no_secret_in(called: object) -> bool:
    """Return whether neither the secret nor what it is sent as stands in what became of rows."""
    return not any(each in repr(called) for each in (SECRET, BASIC.removeprefix("Basic ")))

"""The ASGI application: the API and the dashboard behind the gate."""

from __future__ import annotations

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from auditor import __version__
from auditor.service import pages
from auditor.service.answering import EXCEPTIONS, PREFIX
from auditor.service.api import API
from auditor.service.api_machines import livez, metrics, readyz
from auditor.service.gate import Gate, Limits
from auditor.service.house import House


def application(house: House, hosts: frozenset[str], limits: Limits) -> Gate:
    """What a server serves. `hosts` are the names by which it may be called."""

    def the_house() -> House:
        return house

    described = OpenAPIConfig(
        title="auditor",
        version=__version__,
        description="Scans on demand, runs, findings, drift. Every problem is `application/problem+json` (RFC 9457).",
        path=PREFIX,
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
        components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"bearer": []}],
    )
    app = Litestar(
        route_handlers=[API, livez, readyz, metrics, *pages.HANDLERS],
        dependencies={"house": Provide(the_house, sync_to_thread=False)},
        exception_handlers=EXCEPTIONS,
        openapi_config=described,
        logging_config=None,
        debug=False,
    )
    return Gate(
        app,  # type: ignore[arg-type]  # ASGI's types are spelled differently everywhere
        house.door,
        hosts,
        limits,
        house.meters.counted,
    )

"""The middlewares that add to every answer, made from settings."""

from starlette.types import ASGIApp

from ocgate.config.csp_file import LoadedPolicy
from ocgate.config.settings import Settings
from ocgate.core.cors import CORSRule
from ocgate_middleware.cors import CORSMiddleware
from ocgate_middleware.csp import CSPMiddleware
from ocgate_middleware.security_headers import SecurityHeadersMiddleware

OCS_VERSIONS = ("v1.php", "v2.php")


def with_response_headers(app: ASGIApp, settings: Settings, policy: LoadedPolicy) -> ASGIApp:
    """Put CORS, CSP and the security headers around an app."""
    app = _with_cors(app, settings)
    if settings.csp.report_only:
        app = CSPMiddleware(app, report_only=policy.policy)
    else:
        app = CSPMiddleware(app, policy=policy.policy)
    headers = settings.security_headers
    return SecurityHeadersMiddleware(
        app,
        content_type_options=headers.content_type_options or None,
        frame_options=headers.frame_options or None,
        referrer_policy=headers.referrer_policy or None,
        permitted_cross_domain_policies=headers.cross_domain_policies or None,
        robots_tag=headers.robots_tag or None,
        xss_protection=headers.xss_protection or None,
        strict_transport_security=headers.hsts or None,
    )


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    cors, ocs = settings.cors, settings.ocs_cors
    max_age = int(cors.max_age.total_seconds())
    rules: dict[str, CORSRule] = {}
    if "ocs" in settings.services:
        rule = CORSRule.of(
            allow_origins=ocs.origins,
            allow_methods=ocs.methods,
            allow_headers=ocs.headers,
            allow_credentials=ocs.credentials,
            max_age=max_age,
        )
        rules = {f"/ocs/{version}/cloud/user/signing-key": rule for version in OCS_VERSIONS}
    if not cors.origins and not rules:
        return app
    return CORSMiddleware(
        app,
        # Where nothing is configured, backends answer for themselves.
        allow_origins=cors.origins or None,
        allow_methods=cors.methods,
        allow_headers=cors.headers,
        allow_credentials=cors.credentials,
        expose_headers=cors.exposed,
        max_age=max_age,
        routes=rules,
    )

from ocgate.config.settings_responses import CORS, CSP, OCSCors, SecurityHeaders


def test_cross_origin_access_is_off_for_files_and_open_for_signing_keys() -> None:
    assert CORS().origins == ()
    assert {"PROPFIND", "GET", "PUT"} <= set(CORS().methods)
    assert OCSCors().origins == ("*",)
    assert not CORS().credentials
    assert not OCSCors().credentials


def test_security_headers_are_those_of_the_family() -> None:
    headers = SecurityHeaders()
    assert headers.content_type_options == "nosniff"
    assert headers.frame_options == "SAMEORIGIN"
    assert headers.hsts == "max-age=315360000; preload"


def test_the_policy_is_the_built_in_one() -> None:
    assert CSP() == CSP(files=(), override_files=(), mode="auto", report_only=False)

import pytest

from ocgate.config.family import Ignored, family_names, nearest, sort_out
from ocgate.config.mistakes import Remark


def test_the_list_has_the_familys_variables_with_their_service() -> None:
    names = family_names("env")
    assert len(names) > 1500
    assert names["WEB_OIDC_CLIENT_ID"] == "web"
    assert names["OC_JWT_SECRET"] == "shared"
    assert family_names("yaml")["proxy:role_assignment.driver"] == "proxy"


def test_what_belongs_to_another_service_is_ignored_in_both_spellings() -> None:
    ignored, warnings = sort_out(["OCIS_JWT_SECRET", "OC_JWT_SECRET", "GRAPH_LDAP_URI", "HOME"])
    assert ignored == (
        Ignored("GRAPH_LDAP_URI", "graph"),
        Ignored("OCIS_JWT_SECRET", "shared"),
        Ignored("OC_JWT_SECRET", "shared"),
    )
    assert warnings == ()
    assert str(ignored[0]) == "GRAPH_LDAP_URI: ignored (belongs to the service graph)"
    assert str(Ignored("OC_X", "shared")).endswith("(several services of the family read it)")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("PROXY_HTP_ADDR", "PROXY_HTTP_ADDR"),
        ("OCGATE_UPSTREAMS", "OCGATE_UPSTREAM"),
        ("OCIS_CORS_ALLOW_ORIGIN", "OCIS_CORS_ALLOW_ORIGINS"),
        ("OCS_PRESIGNEDURL_SIGNING_KEY_STORE", "OCS_PRESIGNEDURL_SIGNING_KEYS_STORE"),
        ("PROXY_AUTOPROVISION_ACCOUNT", "PROXY_AUTOPROVISION_ACCOUNTS"),
        ("PROXY_DEBUG_TOKEN_FIL", "PROXY_DEBUG_TOKEN_FILE"),
    ],
)
def test_a_misspelt_name_is_warned_about_with_the_nearest(name: str, near: str) -> None:
    assert nearest(name) == near
    assert sort_out([name]) == ((), (Remark(name, f"nobody reads this; did you mean {near}?"),))


def test_an_unknown_name_is_warned_about_only_where_it_looks_like_ours() -> None:
    _, warnings = sort_out(["OCGATE_ABCDEFGHI", "OC_SOMETHING_OF_A_LATER_RELEASE", "PATH"])
    assert warnings == (Remark("OCGATE_ABCDEFGHI", "nobody reads this"),)


def test_what_is_read_is_neither_ignored_nor_warned_about() -> None:
    known = ["OC_URL", "OCIS_URL", "PROXY_TLS", "OCGATE_STORE_AUTH_PASSWORD_FILE"]
    assert sort_out(known) == ((), ())

from ocgate.config.sources import Sources
from ocgate.config.yaml_names import check_names


def names(**files: str) -> tuple[list[str], list[str]]:
    texts = {f"/c/{name}.yaml": text for name, text in files.items()}
    sources = Sources({}, texts.get)
    sources.open_files("/c")
    assert sources.mistakes == []
    ignored, unknown = check_names(sources.documents)
    return [setting.name for setting in ignored], [str(remark) for remark in unknown]


def test_names_that_are_read_are_fine() -> None:
    text = (
        "http:\n  addr: a:1\npolicies:\n- name: x\n  routes: []\npolicy_selector:\n  static: {}\n"
    )
    assert names(proxy=text, ocgate="store:\n  kind: sqlite\n") == ([], [])


def test_names_of_the_family_are_ignored() -> None:
    ignored, unknown = names(proxy="role_assignment:\n  driver: oidc\n  oidc_role_mapper: {}\n")
    assert "proxy:role_assignment.driver" in ignored
    assert names(proxy="grpc_client_tls: null\n") == ([], [])
    assert unknown == []


def test_sections_of_other_services_are_ignored() -> None:
    text = "graph:\n  anything: 1\nstorage_users: {}\nproxy:\n  http:\n    addr: a:1\nlog: {}\n"
    ignored, unknown = names(opencloud=text)
    assert ignored == ["commons:graph", "commons:storage_users"]
    assert unknown == []


def test_a_misspelt_name_is_warned_about_with_the_nearest() -> None:
    ignored, unknown = names(proxy="http:\n  adr: a:1\n  tls: false\nnothing_like_it: 1\n")
    assert ignored == []
    assert unknown == [
        "/c/proxy.yaml:2: nobody reads 'http.adr'; did you mean http.addr?",
        "/c/proxy.yaml:4: nobody reads 'nothing_like_it'",
    ]

from ocgate.server.phases import Phase


def test_bytes_are_parsed_until_a_request_is_complete() -> None:
    parsing = {phase for phase in Phase if phase.parses}
    assert parsing == {Phase.IDLE, Phase.HEAD, Phase.BODY, Phase.UNWANTED}

from dataclasses import dataclass, field

from ocgate.config.keys import Row, key, rows_of
from ocgate.config.kinds import BOOL, TEXT


@dataclass(frozen=True, slots=True)
class Lamp:
    on: bool = key(BOOL, "Shines.", default=False, env="OC_LAMP;PROXY_LAMP", yaml="proxy:lamp.on")
    color: str = key(TEXT, "Its colour.", default="white")


@dataclass(frozen=True, slots=True)
class House:
    lamp: Lamp = field(default_factory=Lamp)
    number: int = 7


def test_a_section_has_its_defaults() -> None:
    assert House().lamp == Lamp(on=False, color="white")
    assert Lamp(on=True).on


def test_rows_are_collected_with_dotted_names() -> None:
    rows = rows_of(House)
    assert [row.name for row in rows] == ["lamp.on", "lamp.color"]
    assert isinstance(rows[0], Row)
    assert rows[0].key.doc == "Shines."
    assert rows[0].key.shown_default == "false"
    assert rows[0].key.yaml == ("proxy:lamp.on",)


def test_a_shared_name_is_read_in_both_spellings() -> None:
    assert rows_of(House)[0].key.env == ("OCIS_LAMP", "OC_LAMP", "PROXY_LAMP")
    assert rows_of(House)[1].key.env == ()

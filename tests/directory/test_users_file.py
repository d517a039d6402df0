import logging
from pathlib import Path

import bcrypt
import pytest

from ocgate.core.errors import ConfigError
from ocgate.directory.passwords import is_bcrypt, password_matches
from ocgate.directory.users_file import LocalUsers, load_users


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


ALAN = hashed("geheim")
MARY = hashed("secret")


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.htpasswd"
    path.write_text(f"alan:{ALAN}\nmary:{MARY}\n")
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users(file: Path, clock: Clock) -> LocalUsers:
    return load_users(file, now=clock)


async def test_users_are_found_by_name_and_by_id(users: LocalUsers) -> None:
    alan = await users.find_by_name("alan")
    assert alan is not None
    assert alan.enabled
    assert await users.find_by_id(alan.id) == alan
    assert await users.find_by_name("nobody") is None
    assert await users.find_by_id("nobody") is None
    assert await users.find_by_id(alan.id.upper()) is None


async def test_letter_case_of_a_name_means_nothing(users: LocalUsers) -> None:
    found = await users.find_by_name("ALAN")
    assert found is not None
    assert found.name == "alan"
    assert users.password_hash("Alan") == ALAN.encode()


def test_unknown_users_get_a_hash_that_costs_the_same(users: LocalUsers) -> None:
    assert users.password_hash("alan") == ALAN.encode()
    decoy = users.password_hash("nobody")
    assert is_bcrypt(decoy)
    assert decoy[:7] == b"$2b$04$"
    assert decoy == users.password_hash("NOBODY")
    assert not password_matches(b"geheim", decoy)


def test_unknown_users_cost_what_some_known_user_costs(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"a:{hashed('x', 4)}\nb:{hashed('x', 5)}\n")
    users = load_users(path)
    costs = {users.password_hash(f"nobody{n}")[:7] for n in range(50)}
    assert costs == {b"$2b$04$", b"$2b$05$"}


async def test_a_user_without_a_hash_and_an_empty_file_have_a_decoy(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    path.write_text("users: [{name: alan}]\n")
    users = load_users(path)
    assert await users.find_by_name("alan") is not None
    assert is_bcrypt(users.password_hash("alan"))


async def test_a_changed_file_is_read_again_after_a_second(
    file: Path, users: LocalUsers, clock: Clock
) -> None:
    changed = hashed("different")
    file.write_text(f"alan:{changed}\n")
    clock.seconds += 0.9
    assert users.password_hash("alan") == ALAN.encode()
    clock.seconds += 0.2
    assert users.password_hash("alan") == changed.encode()
    assert await users.find_by_name("mary") is None


async def test_a_file_that_was_replaced_with_one_of_the_same_size_is_read_again(
    file: Path, users: LocalUsers, clock: Clock
) -> None:
    other = file.with_name("new")
    other.write_text(file.read_text().replace("mary", "moss"))
    other.rename(file)
    clock.seconds += 2
    assert await users.find_by_name("moss") is not None


async def test_a_broken_file_keeps_the_last_good_one_and_is_told_once(
    file: Path, users: LocalUsers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(f"alan:{ALAN}\nmary:oops\n")
    for _ in range(3):
        clock.seconds += 2
        assert await users.find_by_name("mary") is not None
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert f"{file}:2: " in vars(errors[0])["fields"]["error"]
    file.write_text(f"alan:{ALAN}\n")
    clock.seconds += 2
    assert await users.find_by_name("mary") is None


async def test_a_file_that_vanished_keeps_the_users(
    file: Path, users: LocalUsers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    content = file.read_text()
    file.unlink()
    clock.seconds += 2
    assert await users.find_by_name("alan") is not None
    assert "No such file" in vars(caplog.records[-1])["fields"]["error"]
    file.write_text(content + f"moss:{MARY}\n")
    clock.seconds += 2
    assert await users.find_by_name("moss") is not None


def test_all_mistakes_are_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "users.htpasswd"
    path.write_text("a\nb:{SHA}x\n")
    with pytest.raises(ConfigError) as caught:
        load_users(path)
    lines = str(caught.value).split("\n")
    assert [line.split(": ")[0] for line in lines] == [f"{path}:1", f"{path}:2"]


def test_a_file_that_is_missing_or_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_users(tmp_path / "none")
    path = tmp_path / "latin1"
    path.write_bytes(b"a:b\nJ\xfcrgen:x\n")
    with pytest.raises(ConfigError, match=r"latin1:2: not UTF-8"):
        load_users(path)


async def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_bytes(b"\xef\xbb\xbfalan:" + ALAN.encode() + b"\r\n")
    assert await load_users(path).find_by_name("alan") is not None
